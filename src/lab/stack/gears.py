"""Talking to RG.*: registrations as dictionaries, and scripts that `prepare` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis

from lab.command import line
from lab.errors import LabError
from lab.stack.model import Stack

COULD_NOT_SATISFY = "Could not satisfy requirements"
"""How Gears begins when packages of a script cannot be had."""


def registrations(client: redis.Redis) -> list[dict[str, Any]]:
    """Return what `RG.DUMPREGISTRATIONS` says, each registration as nested dictionaries."""
    return [_pairs(entry) for entry in client.execute_command("RG.DUMPREGISTRATIONS")]


def risks(stack: Stack) -> list[str]:
    """Return what minigears says of settings that endanger functions; nothing if it is not there."""
    try:
        told = stack.redis.info("minigears")
    except redis.RedisError:
        return []
    mark = "minigears_risk_"
    return [f"{name.removeprefix(mark)}: {told[name]}" for name in told if name.startswith(mark)]


def unregister_all(stack: Stack) -> int:
    """Remove every registration with its pending events, and return how many there were."""
    try:
        known = registrations(stack.redis)
    except redis.ResponseError as problem:
        if "unknown command" in str(problem).lower():
            return 0  # a Redis without Gears has none
        raise
    for registration in known:
        stack.redis.execute_command("RG.UNREGISTER", registration["id"], "ABORTPENDING")
    return len(known)


def run_script(
    stack: Stack,
    code: str | Path,
    requirements: Sequence[str] = (),
    config: Mapping[str, str] | None = None,
) -> Any:
    """Run a script through `RG.PYEXECUTE` and return its reply.

    `code` is the script or the path of one; `config` is set with `RG.CONFIGSET` first. Raises
    LabError with the script's own error when it fails.
    """
    script = code.read_text(encoding="utf-8") if isinstance(code, Path) else code
    for name, value in (config or {}).items():
        stack.redis.execute_command("RG.CONFIGSET", name, value)
    words = ["RG.PYEXECUTE", script]
    if requirements:
        words += ["REQUIREMENTS", *requirements]
    try:
        reply = stack.redis.execute_command(*words)
    except redis.ResponseError as problem:
        name = code.name if isinstance(code, Path) else "The script"
        if COULD_NOT_SATISFY in str(problem):
            raise LabError(packages_missing(stack, " ".join(requirements))) from problem
        raise LabError(f"{name} failed in Gears: {problem}") from problem
    errors = reply[1] if isinstance(reply, list) and len(reply) == 2 else []
    if errors:
        raise LabError("The script ran with errors: " + "; ".join(map(str, errors)))
    return reply


def packages_missing(stack: Stack, names: str) -> str:
    """Say what a registration lacks, and what to type: `names` holds the requirements, in any line."""
    _, _, listed = names.rpartition("REQUIREMENTS ")
    return (
        f"{listed.strip()} could not be installed: Gears neither has these packages nor can fetch them. "
        + _HOW_TO_FETCH[stack.kind].format(fetch=line("fetch"), logs=line("logs minigears"))
    )


_HOW_TO_FETCH = {
    "embedded": "Where there is a network, type  {fetch}  and run this again. Without one, set the "
    "course up from an offline kit (docs/offline-kit.md). The reason:  {logs}",
    "containers": "Its container needs the network for that; the images that `make images` builds hold "
    "what the recipes require.",
    "external": "The server that runs Gears needs the network for that.",
}


def _pairs(words: Any) -> dict[str, Any]:
    """Turn a flat list of names and values, as RESP2 sends maps, into a dictionary."""
    found = words if isinstance(words, dict) else zip(words[::2], words[1::2], strict=True)
    found = dict(found)
    for nested in ("RegistrationData", "args"):
        if isinstance(found.get(nested), (list, dict)):
            found[nested] = _pairs(found[nested])
    return found

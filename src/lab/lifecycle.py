"""`lab.up()` and its family: one set of verbs, whichever stack they act on."""

from __future__ import annotations

import os

from lab import embedded, external, paths
from lab.errors import LabError, Unsupported
from lab.gears import unregister_all
from lab.names import DATABASE
from lab.ports import LOOPBACK
from lab.report import say
from lab.services import SERVICES
from lab.stack import Row, Stack, Status
from lab.statefile import State

KINDS = ("embedded", "containers", "external")

_current: Stack | None = None


def up(kind: str | None = None) -> Stack:
    """Start the stack, or find the one that runs, and return it once it is ready.

    `kind` is "embedded", "external" or "containers"; by default what `LAB_STACK` says, else
    "embedded". Whatever is broken is mended, with a line that says so. Raises LabError with what to
    do when it cannot be.
    """
    global _current
    kind = _kind(kind)
    if kind == "containers":
        raise Unsupported(
            "The lab does not start containers. Start them with `docker compose up -d`, then set "
            "LAB_STACK=external, LAB_REDIS_URL=redis://127.0.0.1:6379 and "
            "LAB_MONGO_URL=mongodb://127.0.0.1:27017; or use the embedded stack: lab.up()."
        )
    stack = external.up() if kind == "external" else _embedded_stack(embedded.up())
    if stack != _current:  # else keep the clients that notebooks hold
        _current = stack
    _commands_on_path()
    return _current


def current() -> Stack:
    """Return the stack that this kernel uses, after `up()` if it uses none yet."""
    return _current or up()


def down() -> None:
    """Stop the stack. Its data stays, and `up()` finds it again."""
    global _current
    if _kind(None) == "external":
        say("The external stack was not started by the lab, so it is left running.")
    else:
        stopped = embedded.down()
        say(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
    _current = None


def status() -> Status:
    """Return what runs where, without starting anything."""
    return external.status() if _kind(None) == "external" else _embedded_status()


def reset() -> None:
    """Empty Redis, registrations included, and the course's database. Processes keep running."""
    stack = current()
    unregister_all(stack)
    stack.redis.flushdb()
    stack.mongo.drop_database(DATABASE)


def stop(service: str) -> None:
    """Stop one service ("redis", "minigears" or "mongo") in order; returns when it is gone."""
    _embedded_only("stop")
    embedded.stop(service)


def start(service: str) -> None:
    """Start one service again, on the same port; returns when it is ready."""
    _embedded_only("start")
    embedded.start(service)


def kill(service: str) -> None:
    """End one service at once, as a crash would (SIGKILL); returns when it is gone."""
    _embedded_only("kill")
    embedded.kill(service)


def _kind(kind: str | None) -> str:
    if kind is None:
        kind = _current.kind if _current else os.environ.get("LAB_STACK") or "embedded"
    if kind not in KINDS:
        raise LabError(f"There is no stack {kind!r}; there are: {', '.join(KINDS)}.")
    return kind


def _embedded_only(action: str) -> None:
    if _kind(None) == "external":
        external.refuse(action)


def _embedded_stack(state: State) -> Stack:
    redis_port = state.services["redis"].port
    front = state.services.get("minigears", state.services["redis"])
    mongo_url = f"mongodb://{LOOPBACK}:{state.services['mongo'].port}"
    return Stack(
        kind="embedded",
        redis_url=f"redis://{LOOPBACK}:{front.port}",
        redis_direct_url=f"redis://{LOOPBACK}:{redis_port}",
        mongo_url=mongo_url,
        recipe_mongo_url=mongo_url,
        status=_embedded_status,
    )


def _embedded_status() -> Status:
    rows = []
    for name, known in embedded.status().services.items():
        state = "running" if known.proc else "stopped"
        pid = known.proc.pid if known.proc else None
        rows.append(Row(SERVICES[name].title, f"{LOOPBACK}:{known.port}", state, pid))
    return Status("embedded", rows)


def _commands_on_path() -> None:
    """Let `!redis-cli` and `!gears-cli` in a notebook find this environment's commands."""
    folder = str(paths.scripts())
    known = os.environ.get("PATH", "").split(os.pathsep)
    if folder not in known:
        os.environ["PATH"] = os.pathsep.join([folder, *known])

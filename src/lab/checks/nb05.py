"""Notebook 05: react to events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from lab.cells.magics import readable_error
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.checks.registered import undone
from lab.stack.gears import registrations

_STREAM = "changes"
_PLAYER = "player:check"
_STRANGER = "stranger:check"


def _check_capture(answer: Answer) -> str:
    script = answer["capture"]
    if not isinstance(script, str):
        raise Wrong(f"`capture` is of type {type(script).__name__}; the text of a script is a str.")
    client = answer.stack.redis
    with _registered(client, script) as registration:
        _judge_registration(registration)
        _judge_entries(client, registration["id"])
    return "Each change is in the stream before its client has the reply: half of write-behind."


@contextmanager
def _registered(client: redis.Redis, script: str) -> Iterator[dict[str, Any]]:
    """Register the script alone in its session; unregister it and drop its keys at the end."""
    _refuse_a_second_capture(client)
    with undone(client) as before:
        try:
            reply = _run(client, script)
            new = [known for known in registrations(client) if known["id"] not in before]
            if len(new) != 1:
                raise Wrong(
                    f"The script made {len(new)} registrations, not 1 (its reply: {reply})."
                )
            yield new[0]
        finally:
            client.delete(_PLAYER, _STRANGER, _STREAM)


def _refuse_a_second_capture(client: redis.Redis) -> None:
    """Raise Wrong when what was registered before captures players already."""
    length = client.xlen(_STREAM)
    client.hset(_PLAYER, "score", 0)
    client.delete(_PLAYER)
    if client.xlen(_STREAM) == length:
        return
    known = ", ".join(f"`{known['id']}`" for known in registrations(client))
    raise Wrong(
        f"Changes are captured already, by what is registered ({known}): with your script each would be "
        'there twice. `lab.prepare("gears-empty")` unregisters everything; then check again.'
    )


def _run(client: redis.Redis, script: str) -> Any:
    try:
        return client.execute_command("RG.PYEXECUTE", script)
    except redis.ResponseError as error:
        told = readable_error(str(error)).strip().splitlines()[-1]
        raise Wrong(f"The script itself failed: {told}") from None


def _judge_registration(registration: dict[str, Any]) -> None:
    if registration["reader"] != "KeysReader":
        raise Wrong(f"It listens with a {registration['reader']}; keys' events need a KeysReader.")
    mode = registration["RegistrationData"]["mode"]
    if mode != "sync":
        raise Wrong(f"Its mode is {mode}: the client has its reply before the entry is there.")


def _judge_entries(client: redis.Redis, registration_id: str) -> None:
    client.delete(_STREAM)
    client.hset(_STRANGER, "score", 1)
    if client.xlen(_STREAM):
        raise Wrong("A key that is no player's left an entry as well. What is the prefix?")
    client.hset(_PLAYER, "score", 1)
    client.delete(_PLAYER)
    _raise_if_failed(client, registration_id)
    found = [entry for _, entry in client.xrange(_STREAM)]
    if not found:
        raise Wrong(f"After HSET and DEL of {_PLAYER} the stream `{_STREAM}` is empty.")
    wanted = [{"key": _PLAYER, "event": event} for event in ("hset", "del")]
    if found != wanted:
        raise Wrong(f"After HSET and DEL the stream should hold {wanted}, but holds {found}.")
    client.hset(_PLAYER, "score", 2)
    client.expire(_PLAYER, 3600)
    extra = [entry["event"] for _, entry in client.xrange(_STREAM)][3:]
    if extra:
        raise Wrong(f"It reacts to {extra[0]!r} too; asked for are hset and del alone.")


def _raise_if_failed(client: redis.Redis, registration_id: str) -> None:
    (mine,) = [known for known in registrations(client) if known["id"] == registration_id]
    if error := mine["RegistrationData"]["lastError"]:
        told = readable_error(error).strip().splitlines()[-1]
        raise Wrong(f"The function raised, as its `lastError` says: {told}")


CAPTURE = Exercise(
    id="05-1",
    asks=("capture",),
    stub="""\
capture = ...  # a script: each hset and del of a player adds (key, event) to the stream `changes`
""",
    solution='''\
capture = """
def add(record):
    execute("XADD", "changes", "*", "key", record["key"], "event", record["event"])

GB("KeysReader").foreach(add).register(
    prefix="player:*", mode="sync", eventTypes=["hset", "del"])
"""
''',
    hints=(
        "The script has the shape of `level_up.py`: a function, a `foreach`, a `register`.",
        'In the function: `execute("XADD", "changes", "*", …)` with fields and values; the record '
        "knows its key and its event.",
        'Register with `prefix="player:*"`, `mode="sync"` and `eventTypes=["hset", "del"]`.',
    ),
    check=_check_capture,
)

EXERCISES = (CAPTURE,)

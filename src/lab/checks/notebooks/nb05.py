"""Notebook 05: react to events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import redis

from lab.cells.magics import readable_error
from lab.checks import needs
from lab.checks.aside import aside
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.checks.registered import run, undone
from lab.stack.gears import registrations

_STREAM = "changes"
_PLAYER = "player:check"
_STRANGER = "stranger:check"
_RENAMED = "player:renamed"
_LEADERS = "leaders"
_PATIENCE = 10.0  # seconds for Redis to notice that a key has expired


def _check_capture(answer: Answer) -> str:
    script = answer.text("capture", "a script")
    client = answer.stack.redis
    with _registered(client, script) as registration:
        _judge_registration(registration)
        _judge_entries(client, registration["id"])
    return "Each change is in the stream before its client has the reply: half of write-behind."


@contextmanager
def _registered(client: redis.Redis, script: str) -> Iterator[dict[str, Any]]:
    """Register the script alone in its session; unregister it and drop its keys at the end."""
    _refuse_a_second_one(client)
    with aside(client, _PLAYER, _STRANGER, _STREAM), undone(client) as before:
        reply = _run(client, script)
        new = [known for known in registrations(client) if known["id"] not in before]
        if len(new) != 1:
            raise Wrong(f"The script made {len(new)} registrations, not 1 (its reply: {reply}).")
        yield new[0]


def _refuse_a_second_one(client: redis.Redis) -> None:
    """Raise Wrong when something is registered for players already: nobody could tell which of them did it."""
    known = [one for one in registrations(client) if _hears_of(one, _PLAYER)]
    if not known:
        return
    named = ", ".join(f"`{one['id']}`" for one in known)
    raise Wrong(
        f"Changes of players are captured already, by what is registered ({named}): its doings and those of your "
        'script would be one. `lab.prepare("gears-empty")` unregisters everything; then check again.'
    )


def _hears_of(known: dict[str, Any], key: str) -> bool:
    """Tell whether a registration is called for a key."""
    prefix = str(known["RegistrationData"].get("args", {}).get("regex", ""))
    return known["reader"] == "KeysReader" and fnmatchcase(key, prefix)


def _run(client: redis.Redis, script: str) -> Any:
    try:
        return run(client, script)
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
        raise Wrong(f"It reacts to {extra[0]!r} too; the exercise asks for hset and del alone.")


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
    needs=needs.gears,
)


def _check_leaders(answer: Answer) -> str:
    script = answer.text("leaderboard", "a script")
    client = answer.stack.redis
    _refuse_a_second_one(client)
    with aside(client, _PLAYER, _RENAMED, _STRANGER, _LEADERS), undone(client) as before:
        reply = _run(client, script)
        new = [known for known in registrations(client) if known["id"] not in before]
        if not new:
            raise Wrong(f"The script registered nothing (its reply: {reply}).")
        for known in new:
            _judge_registration(known)
        for step, words, wanted, why in _STEPS:
            client.execute_command(*words)
            _judge_leaders(client, new, step, wanted, why)
        _judge_expiry(client)
    return "Right after each kind of change, the ones without a command too: nothing is missed."


# What happens, its command, who leads afterwards, and the misconception behind anything else.
_STEPS: tuple[tuple[str, tuple[str, ...], dict[str, float], str], ...] = (
    (
        "a key that is no player's gets a score",
        ("HSET", _STRANGER, "score", "9"),
        {},
        "What is the prefix?",
    ),
    (
        "a player gets a name, and has no score yet",
        ("HSET", _PLAYER, "name", "Ada"),
        {},
        "Who has no score is not on the board.",
    ),
    (
        "HSET makes the score 10",
        ("HSET", _PLAYER, "score", "10"),
        {_PLAYER: 10},
        "The first score of a player counts as well.",
    ),
    (
        "HINCRBY adds 5",
        ("HINCRBY", _PLAYER, "score", "5"),
        {_PLAYER: 15},
        "HINCRBY raises `hincrby`, not `hset`: what a list of events forgets, its function never sees.",
    ),
    (
        "HDEL takes the score away",
        ("HDEL", _PLAYER, "score"),
        {},
        "A field can go while its key stays, and that event is `hdel`.",
    ),
    (
        "the score is 20 again",
        ("HSET", _PLAYER, "score", "20"),
        {_PLAYER: 20},
        "A player may come back.",
    ),
    (
        "RENAME gives the player another key",
        ("RENAME", _PLAYER, _RENAMED),
        {_RENAMED: 20},
        "RENAME raises an event for each of its two keys: one has gone, one has come.",
    ),
    (
        "DEL deletes the player",
        ("DEL", _RENAMED),
        {},
        "After DEL the key has no value; what is it that the function has to do then?",
    ),
)


def _judge_leaders(
    client: redis.Redis, new: list[dict[str, Any]], step: str, wanted: dict[str, float], why: str
) -> None:
    for known in new:
        _raise_if_failed(client, known["id"])
    found = dict(client.zrange(_LEADERS, 0, -1, withscores=True))
    if found != wanted:
        raise Wrong(f"After this: {step}, `leaders` holds {found}, not {wanted}. {why}")


def _judge_expiry(client: redis.Redis) -> None:
    client.hset(_PLAYER, "score", 1)
    client.pexpire(_PLAYER, 1)
    ends = time.monotonic() + _PATIENCE
    while client.exists(_PLAYER) or client.zscore(_LEADERS, _PLAYER) is not None:
        if time.monotonic() > ends:
            raise Wrong(
                "A player has expired and is still on the board. Keys that expire raise `expired`, "
                "and not `del`: nobody sends a command."
            )
        time.sleep(0.005)


LEADERS = Exercise(
    id="05-2",
    asks=("leaderboard",),
    stub="""\
leaderboard = ...  # a script of your own, from its first line
""",
    solution='''\
leaderboard = """
def follow(record):
    score = execute("HGET", record["key"], "score")
    if score is None:
        execute("ZREM", "leaders", record["key"])
    else:
        execute("ZADD", "leaders", score, record["key"])

GB("KeysReader").foreach(follow).register(prefix="player:*", mode="sync")
"""
''',
    hints=(
        "Do not try to handle each event. Whatever happened to a key: what is true of it now?",
        'Ask Redis for the score as it is, with `execute("HGET", …)`; then the key either is on the board, or is not.',
        "`ZADD leaders score key` when there is a score, `ZREM leaders key` when there is none; "
        '`register(prefix="player:*", mode="sync")` without a list of events.',
    ),
    check=_check_leaders,
    needs=needs.gears,
)

EXERCISES = (CAPTURE, LEADERS)

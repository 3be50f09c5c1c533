"""Notebook 08: write through, and choose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from lab.checks import needs
from lab.checks.aside import aside
from lab.checks.exercise import Answer, Exercise, Wrong, ask
from lab.checks.registered import undone

BEHIND, THROUGH = "write-behind", "write-through"

_CASES = {
    "pause position": (
        BEHIND,
        "It changes every few seconds for every viewer, the next one replaces it, and nobody reads "
        "it from MongoDB. What would waiting for MongoDB buy?",
    ),
    "last seat sold": (
        THROUGH,
        "Another system checks MongoDB before it sells. How old may its answer be?",
    ),
    "view counter": (
        BEHIND,
        "Bursts are the problem here, and a number that is a second old is good enough.",
    ),
    "card payment": (
        THROUGH,
        "Telling the customer that it is done, while it waits in a queue, is the wrong order.",
    ),
    "likes while MongoDB is upgraded": (
        BEHIND,
        "MongoDB is away for a minute. Which of the two still takes writes?",
    ),
}


def _check_choice(answer: Answer) -> str:
    answer.judge_cases("choice", _CASES)
    return "Behind where speed and outages matter, through where MongoDB must be right at once."


CHOICE = Exercise(
    id="08-1",
    asks=("choice",),
    stub="""\
choice = {  # "write-behind" or "write-through"
    "pause position": ...,  # where a viewer stopped; changes every few seconds
    "last seat sold": ...,  # the box office looks into MongoDB before it sells
    "view counter": ...,  # a number under the film; a premiere brings a burst
    "card payment": ...,  # once the customer sees "paid", it must be on record
    "likes while MongoDB is upgraded": ...,  # MongoDB is away for a minute
}
""",
    solution="""\
choice = {
    "pause position": "write-behind",
    "last seat sold": "write-through",
    "view counter": "write-behind",
    "card payment": "write-through",
    "likes while MongoDB is upgraded": "write-behind",
}
""",
    hints=(
        "Ask two questions of each: who waits for the write, and who reads it from MongoDB?",
        "Write-behind keeps the writer fast and MongoDB a little late; write-through the reverse.",
        "Three are write-behind. The other two are those where a second system must not be wrong.",
    ),
    check=_check_choice,
)

_KEY, _AWAY = "check-08:movie", "check-08:mongo-is-away"

# Stands before each write to a key of the check's own, and refuses it as write-through does: after
# Redis has done it. So the check need not stop MongoDB.
_REFUSES = f"""
def refuse(record):
    if execute("EXISTS", "{_AWAY}"):
        override_reply("-ERR done in Redis, but MongoDB did not confirm it")

unfit = {{"blocking", "movablekeys", "noscript"}}
commands = [c[0] for c in execute("COMMAND") if "write" in c[2] and c[3] > 0 and unfit.isdisjoint(c[2])]
GB("KeysReader").foreach(refuse).register(
    prefix="{_KEY}", commands=commands, mode="sync", readValue=False, convertToStr=False)
"""
_OLD, _NEW = {"title": "Heat", "year": 1995}, {"title": "Heat", "year": 1996}


@contextmanager
def _refusing(client: redis.Redis) -> Iterator[None]:
    """Register what refuses, and leave neither it nor a key behind."""
    with aside(client, _AWAY, _KEY), undone(client):
        client.execute_command("RG.PYEXECUTE", _REFUSES)
        try:
            yield
        finally:
            client.delete(_AWAY)  # before the key: with it each write to that one is refused


def _check_save(answer: Answer) -> str:
    save, client = answer.function("save"), answer.stack.redis
    with _refusing(client):
        _judge_save(save, client, _OLD, True, "a new movie that MongoDB takes")
        _judge_save(save, client, _NEW, True, "a change that MongoDB takes")
        client.set(_AWAY, "yes")
        _judge_save(save, client, _OLD, False, "a change that MongoDB does not take")
        client.delete(_AWAY)
        client.delete(_KEY)
        client.set(_AWAY, "yes")
        _judge_save(save, client, _OLD, False, "a new movie that MongoDB does not take")
    return "Both stores agree, whatever the answer; and the caller knows which it is."


def _judge_save(
    save: Any, client: redis.Redis, document: dict[str, Any], taken: bool, case: str
) -> None:
    """Call the learner's function once, and compare its answer and what Redis has."""
    before = client.json().get(_KEY)
    try:
        said = ask(save, client, _KEY, dict(document), case=case)
    except Wrong as wrong:
        if "did not confirm" not in str(wrong):
            raise
        raise Wrong(f"{wrong} {_whose_error(client.json().get(_KEY) == before)}") from None
    if said is not taken:
        raise Wrong(f"For {case} your function returned `{said!r}`, not `{taken}`.")
    _judge_redis(client, document if taken else before, before, case)


def _whose_error(is_back: bool) -> str:
    """Tell whether the write's own error came out, or that of taking it back."""
    if is_back:
        return "Taking it back is a write, too: it gets the same error, and Redis has done it."
    return "Redis has the new value all the same: catch the error, and take the value back."


def _judge_redis(client: redis.Redis, wanted: Any, before: Any, case: str) -> None:
    if client.exists(_KEY) and wanted is None:
        raise Wrong(
            f"For {case}: Redis still has {client.json().get(_KEY)}. There was no such key before, so "
            "taking it back means that there is none again."
        )
    found = client.json().get(_KEY)
    if found != wanted:
        if wanted != before:
            raise Wrong(f"For {case}: Redis has {found}, not the new value. Who writes it there?")
        raise Wrong(
            f"For {case}: Redis has {found}, not the old value. An error of write-through does not say that "
            "nothing has happened: the function runs after the write."
        )


SAVE = Exercise(
    id="08-2",
    asks=("save",),
    stub="""\
def save(r, key, document): ...  # yours: True when both stores have it, False when neither has
""",
    solution="""\
from redis import ResponseError


def save(r, key, document):
    before = r.json().get(key)
    try:
        r.json().set(key, "$", document)
        return True
    except ResponseError:
        pass
    try:
        r.json().set(key, "$", before) if before else r.delete(key)
    except ResponseError:
        pass  # MongoDB does not take this either, and Redis has done it all the same
    return False
""",
    hints=(
        "After the error the new value is in Redis. What do you have to know to take it back?",
        "Read the old document before you write. If there was none, taking it back is a delete.",
        "Taking back is a write like any other, so it gets the same error: catch that one, too.",
    ),
    check=_check_save,
    needs=needs.gears,
)

EXERCISES = (CHOICE, SAVE)

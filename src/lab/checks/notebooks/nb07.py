"""Notebook 07: look inside the stream."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from redis import Redis

from lab.checks import needs
from lab.checks.aside import aside
from lab.checks.exercise import Answer, Exercise, Wrong, ask, ask_for_one

_TOLERANCE = 2.0  # seconds that a slow machine may take between writing an entry and the answer


def _check_oldest_age(answer: Answer) -> str:
    oldest_age = answer.function("oldest_age")
    client = answer.stack.redis
    stream = f"lab-check-{uuid.uuid4()}"
    try:
        _judge_age(oldest_age, stream, 0.0, "an empty stream")
        _add(client, stream, seconds_ago=90.0)
        _judge_age(oldest_age, stream, 90.0, "a stream with one entry, 90 s old")
        _add(client, stream, seconds_ago=30.0)
        _judge_age(oldest_age, stream, 90.0, "a stream with entries 90 s and 30 s old")
    finally:
        client.delete(stream)
    return "Right for an empty stream, for one entry and for several: alert on this number."


def _add(client: Redis, stream: str, seconds_ago: float) -> None:
    client.xadd(stream, {"key": "value"}, id=f"{int((time.time() - seconds_ago) * 1000)}-0")


def _judge_age(oldest_age: Callable[..., Any], stream: str, wanted: float, case: str) -> None:
    given = ask(oldest_age, stream, case=case)
    if given is None:
        raise Wrong(f"For {case} your function returned `{given!r}`, not a number of seconds.")
    if not isinstance(given, (int, float)):
        raise Wrong(
            f"For {case} your function returned a value of type {type(given).__name__}, not a number."
        )
    if wanted and abs(given - wanted * 1000) < _TOLERANCE * 1000:
        raise Wrong("That is milliseconds. The id is in milliseconds, the answer in seconds.")
    if abs(given - wanted) > _TOLERANCE:
        raise Wrong(f"For {case} your function returned {given:.1f}, expected about {wanted:.0f}.")


OLDEST_AGE = Exercise(
    id="07-1",
    asks=("oldest_age",),
    stub="""\
def oldest_age(stream):
    return ...  # seconds since the oldest entry of the stream was added; 0.0 when it is empty
""",
    solution="""\
import time


def oldest_age(stream):
    oldest = stack.redis.xrange(stream, count=1)
    if not oldest:
        return 0.0
    entry_id, _ = oldest[0]
    return time.time() - int(entry_id.split("-")[0]) / 1000
""",
    hints=(
        "Everything that you need is in the id of one entry. Which one?",
        "`stack.redis.xrange(stream, count=1)` is a list with the oldest entry, or an empty list.",
        'The milliseconds are `int(entry_id.split("-")[0])`; compare them with `time.time()`.',
    ),
    check=_check_oldest_age,
    needs=needs.redis_takes_writes,
)


_Store = dict[str, dict[str, Any]]

_SAME: _Store = {"1": {"title": "Alien", "year": 1979}, "2": {"title": "Heat", "year": 1995}}
_ORDER: _Store = {"2": {"year": 1995, "title": "Heat"}, "1": {"title": "Alien", "year": 1979}}
_CASES: tuple[tuple[str, _Store, _Store, list[str]], ...] = (
    ("two equal stores", _SAME, _ORDER, []),
    ("a document that MongoDB lacks", _SAME, {"1": _SAME["1"]}, ["2"]),
    ("a document that only MongoDB has", {"2": _SAME["2"]}, _SAME, ["1"]),
    ("a document that differs", _SAME, {**_SAME, "2": {"title": "Heat", "year": 1996}}, ["2"]),
    ("two empty stores", {}, {}, []),
    ("two differences", {"1": {}, "3": {}, "2": {}}, {"2": {}}, ["1", "3"]),
)


def _check_drift(answer: Answer) -> str:
    drift = answer.function("drift")
    for case, left, right, wanted in _CASES:
        given = ask(drift, dict(left), dict(right), case=case)
        ids = ask(list, given, case=case) if isinstance(given, Iterable) else [None]
        if not all(isinstance(id, str) for id in ids):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of ids.")
        if sorted(ids) != wanted:
            raise Wrong(f"For {case} your function returned {sorted(ids)}, expected {wanted}.")
    return f"Right in all {len(_CASES)} cases: missing, left over and different documents."


DRIFT = Exercise(
    id="07-2",
    asks=("drift",),
    stub="""\
def drift(from_redis, from_mongo):
    return ...  # ids of the documents that are missing on one side, or differ
""",
    solution="""\
def drift(from_redis, from_mongo):
    every_id = from_redis.keys() | from_mongo.keys()
    return sorted(id for id in every_id if from_redis.get(id) != from_mongo.get(id))
""",
    hints=(
        "Three things can be wrong with an id: only here, only there, or here and there different.",
        "The keys of two dictionaries can be joined like sets, with `|`.",
        "`get` returns None for what is missing, and None differs from every document.",
    ),
    check=_check_drift,
)


_STATES_OF_A_STREAM = _IDLE, _WORKING, _STUCK, _NOBODY = "idle", "working", "stuck", "nobody reads"
_CHECKED = "07:check"
_YOUNG, _LATE = 5_000, 20_000  # milliseconds; the task's limit is 10 seconds


def _check_diagnose(answer: Answer) -> str:
    diagnose = answer.function("diagnose")
    client = answer.stack.redis
    with aside(client, _CHECKED):
        for case, make, wanted, why in _STATES:
            client.delete(_CHECKED)
            make(client)
            said = ask_for_one(diagnose, _CHECKED, case=case, of=_STATES_OF_A_STREAM)
            if said != wanted:
                raise Wrong(f"For {case} your function returned {said!r}. {why}")
    return f"Right in all {len(_STATES)} cases: a page of your own for the night shift."


def _old_entry(client: Redis, age: int, group: bool = True) -> None:
    """Add an entry that is `age` milliseconds old, perhaps with a group that has not seen it."""
    seconds, microseconds = client.time()
    client.xadd(_CHECKED, {"n": 1}, id=f"{seconds * 1000 + microseconds // 1000 - age}-0")
    if group:
        client.xgroup_create(_CHECKED, "readers", "0")


def _take(client: Redis, age: int) -> None:
    _old_entry(client, age)
    client.xreadgroup("readers", "one", {_CHECKED: ">"})


def _emptied(client: Redis) -> None:
    _take(client, _LATE)
    (entry_id, _), *_ = client.xrange(_CHECKED)
    client.xack(_CHECKED, "readers", entry_id)
    client.xdel(_CHECKED, entry_id)


def _renewed(client: Redis) -> None:
    """An old entry was written and is gone, a young one waits."""
    _emptied(client)
    client.xadd(_CHECKED, {"n": 2})


_STATES: tuple[tuple[str, Callable[[Redis], None], str, str], ...] = (
    ("a stream that is not there", lambda client: None, _IDLE, "Nothing has been written yet."),
    ("a stream that is empty again", _emptied, _IDLE, "All that was in it is in MongoDB."),
    (
        "a young entry that nobody has taken yet",
        lambda client: _old_entry(client, _YOUNG),
        _WORKING,
        "It is 5 seconds old: each entry waits for a moment, and that is no reason to wake somebody.",
    ),
    (
        "a young entry that the reader is writing",
        lambda client: _take(client, _YOUNG),
        _WORKING,
        "Pending is where each entry is on its way.",
    ),
    (
        "a young entry in a stream that has been used for long",
        _renewed,
        _WORKING,
        "The age of the oldest entry that is *there* counts, not of the stream.",
    ),
    (
        "an old entry, pending",
        lambda client: _take(client, _LATE),
        _STUCK,
        "A reader has it and cannot get rid of it: look at MongoDB.",
    ),
    (
        "an old entry, not given to any reader",
        lambda client: _old_entry(client, _LATE),
        _NOBODY,
        "Nothing is pending, so nobody tries: look at the registration.",
    ),
    (
        "an old entry, and no group at all",
        lambda client: _old_entry(client, _LATE, group=False),
        _NOBODY,
        "Without a group there has never been a reader: `XINFO GROUPS` is empty.",
    ),
)


DIAGNOSE = Exercise(
    id="07-3",
    asks=("diagnose",),
    stub="""\
def diagnose(stream): ...  # yours: "idle", "working", "stuck" or "nobody reads"
""",
    solution="""\
import time


def diagnose(stream):
    oldest = stack.redis.xrange(stream, count=1)
    if not oldest:
        return "idle"
    age = time.time() - int(oldest[0][0].split("-")[0]) / 1000
    if age <= 10:
        return "working"
    groups = stack.redis.xinfo_groups(stream)
    return "stuck" if any(group["pending"] for group in groups) else "nobody reads"
""",
    hints=(
        "Which of the numbers in this notebook tells whether there is anything to worry about at all?",
        "First the age of the oldest entry, as in the first exercise. Only when it is too old does *pending* matter.",
        '`xrange(stream, count=1)` is empty: "idle". At most 10 seconds old: "working". Else `xinfo_groups(stream)`, '
        "which may be an empty list.",
    ),
    check=_check_diagnose,
    needs=needs.redis_takes_writes,
)

EXERCISES = (OLDEST_AGE, DRIFT, DIAGNOSE)

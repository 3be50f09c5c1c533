"""Notebook 00: look around the lab."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from lab.checks.exercise import Answer, Exercise, Wrong, ask_for_one


def _check_port(answer: Answer) -> str:
    given = answer["front_door_port"]
    if isinstance(given, bool) or not isinstance(given, int):
        raise Wrong(
            f"`front_door_port` is of type {type(given).__name__}; a port is a whole number."
        )
    stack = answer.stack
    front, direct, mongo = (
        urlsplit(url).port for url in (stack.redis_url, stack.redis_direct_url, stack.mongo_url)
    )
    if given == front:
        return f"Commands go to port {given}: `{stack.cli}`."
    if given == direct:
        raise Wrong(f"{given} is Redis's own port. Its row does not say that it is the front door.")
    if given == mongo:
        raise Wrong(
            f"{given} is MongoDB's port. The exercise asks for the one that Redis clients use."
        )
    raise Wrong(f"No part of this stack listens on {given}. Look at the column `address`.")


FRONT_DOOR = Exercise(
    id="00-1",
    asks=("front_door_port",),
    stub="""\
front_door_port = ...  # the port of the front door: a whole number
""",
    solution="""\
from urllib.parse import urlsplit

front_door_port = urlsplit(stack.redis_url).port
""",
    hints=(
        "The answer is in the table that `stack` shows.",
        "Look for the row of the front door. The port is the number after the colon.",
        "`stack.redis_url` is the address of the front door: its last number is the port.",
    ),
    check=_check_port,
)

_Pause = dict[str, Any] | None

NOWHERE, ON_ITS_WAY, ARRIVED, ONLY_MONGO = "nowhere", "on its way", "arrived", "only in MongoDB"
_WORDS = (NOWHERE, ON_ITS_WAY, ARRIVED, ONLY_MONGO)


def _at(seconds: int, **more: str) -> dict[str, Any]:
    return {"user": "ann", "movieId": "1", "seconds": seconds, **more}


# What Redis has, what MongoDB has, where the pause then is, and the misconception.
_STATES: tuple[tuple[str, _Pause, _Pause, str, str], ...] = (
    (
        "no pause in either store",
        None,
        None,
        NOWHERE,
        "Nobody has pressed pause yet, and a store that has nothing gives `None`.",
    ),
    (
        "second 754 in Redis and nothing in MongoDB",
        _at(754),
        None,
        ON_ITS_WAY,
        "The viewer has the answer, because Redis has the pause. What carries it further?",
    ),
    (
        "second 754 in both",
        _at(754),
        _at(754, _id="a document of its own", _v="7"),
        ARRIVED,
        "MongoDB's document has more fields (`_id`, `_v`), so the two are never equal as a whole. "
        "Which field says where Ann stopped?",
    ),
    (
        "second 1200 in Redis and second 754 in MongoDB",
        _at(1200),
        _at(754, _id="a document of its own", _v="7"),
        ON_ITS_WAY,
        "That MongoDB has *a* pause does not mean that it has *this* one: it still has the one before.",
    ),
    (
        "second 0 in both",
        _at(0),
        _at(0, _id="a document of its own", _v="7"),
        ARRIVED,
        "Second 0 is a place in the movie like any other, although Python takes 0 for false.",
    ),
    (
        "nothing in Redis and second 754 in MongoDB",
        None,
        _at(754, _id="a document of its own", _v="7"),
        ONLY_MONGO,
        "Nothing is on its way: a queue carries from Redis to MongoDB, and never back.",
    ),
)


def _check_where(answer: Answer) -> str:
    where_is = answer.function("where_is")
    for case, in_redis, in_mongo, wanted, why in _STATES:
        said = ask_for_one(where_is, in_redis, in_mongo, case=case, of=_WORDS)
        if said != wanted:
            raise Wrong(f"For {case} you say {said!r}. {why}")
    return "You look at what a store says, and not at whether it says something."


WHERE = Exercise(
    id="00-2",
    asks=("where_is",),
    stub="""\
def where_is(in_redis, in_mongo): ...  # "nowhere", "on its way", "arrived" or "only in MongoDB"
""",
    solution="""\
def where_is(in_redis, in_mongo):
    if in_redis is None:
        return "nowhere" if in_mongo is None else "only in MongoDB"
    if in_mongo is None or in_mongo["seconds"] != in_redis["seconds"]:
        return "on its way"
    return "arrived"
""",
    hints=(
        "Write the cases down first: each store has a pause or none. When both have one, is that enough?",
        "Deal with `None` first, in each store. Only then may you ask a document for its `seconds`.",
        'Both have one: `in_redis["seconds"] == in_mongo["seconds"]` tells "arrived" from "on its way".',
    ),
    check=_check_where,
)

EXERCISES = (FRONT_DOOR, WHERE)

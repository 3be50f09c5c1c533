"""What an exercise needs of the stack. It is asked before an answer is judged, or a right one would be called wrong.

Each need raises Wrong with what to run first, or what the client raises when a store is away.
"""

from __future__ import annotations

import time
from typing import Any

import pymongo
import redis

from lab.checks.exercise import Wrong, takes_no_writes
from lab.course.movies import load_movies
from lab.names import COLLECTION, KEY_PREFIX, SEARCH_INDEX, movie_key
from lab.stack.gears import registrations
from lab.stack.model import Stack

_PATIENCE = 3.0  # seconds for MongoDB to answer
_INDEXING = 10.0  # seconds for a new index to have read the movies that were there before it
_WRITES_NOTHING = "#!lua\nreturn 1"
"""Redis asks of a script that may write whether it may write now. Redis 6 does not know its first line."""

_NEARLY_FULL = 0.98  # of the bound; beyond it Redis refuses, or makes room with somebody's keys


def redis_answers(stack: Stack) -> None:
    """Redis is there."""
    stack.redis.ping()


def redis_takes_writes(stack: Stack) -> None:
    """Redis takes writes, and does not make room for them with what a check has written."""
    memory: Any = stack.redis.info("memory")
    if memory.get("maxmemory") and memory["used_memory"] > _NEARLY_FULL * memory["maxmemory"]:
        raise Wrong(
            takes_no_writes(f"its memory is bounded to {memory['maxmemory']} bytes, and full")
        )
    try:
        stack.redis.eval(_WRITES_NOTHING, 0)
    except redis.ResponseError as problem:
        if "compiling" not in str(problem):
            raise


def gears(stack: Stack) -> None:
    """Gears answers, in a Redis that takes writes."""
    redis_takes_writes(stack)
    registrations(stack.redis)


def mongo(stack: Stack) -> None:
    """MongoDB answers, and not only its port."""
    with pymongo.timeout(_PATIENCE):
        stack.mongo.admin.command("ping")


def all_answer(stack: Stack) -> None:
    """Redis, Gears and MongoDB are there."""
    stack.redis_direct.ping()
    registrations(stack.redis)
    mongo(stack)


def movies_in_mongo(stack: Stack) -> None:
    """MongoDB holds the course's movies: with a few of them, half a query would be right."""
    mongo(stack)
    known = {movie["movieId"] for movie in load_movies()}
    there = known & set(stack.db[COLLECTION].distinct("movieId"))
    if there != known:
        raise Wrong(_some("MongoDB", len(there), len(known)))


def movies_in_redis(stack: Stack) -> None:
    """Redis holds the course's movies, and an index with the fields of the exercises knows them all."""
    redis_answers(stack)
    try:
        known = _index(stack)
    except redis.ResponseError:
        raise Wrong(
            f"Redis has no index `{SEARCH_INDEX}`. Run this notebook's cells that make it and load the movies."
        ) from None
    ends = time.monotonic() + _INDEXING
    while known.get("indexing") not in (0, "0") and time.monotonic() < ends:
        time.sleep(0.01)
        known = _index(stack)
    wanted = {movie_key(movie["movieId"]) for movie in load_movies()}
    there = wanted & set(stack.redis.scan_iter(f"{KEY_PREFIX}*", count=1000, _type="ReJSON-RL"))
    if there != wanted:
        raise Wrong(_some("Redis", len(there), len(wanted)))
    if int(known["num_docs"]) < len(wanted):
        raise Wrong(_some("The index", int(known["num_docs"]), len(wanted)))
    if lacks := {"title", "year", "imdbRating", "genres"} - set(fields(stack)):
        raise Wrong(
            f"The index lacks `{min(lacks)}`: somebody has made another one. Run this notebook's cells that make it."
        )


def _some(who: str, there: int, known: int) -> str:
    return f"{who} has {there} of the {known} movies. Run this notebook's cells that load them, then check again."


def fields(stack: Stack) -> list[str]:
    """Return the names of the index's fields."""
    return [dict(zip(one[::2], one[1::2], strict=False))["attribute"] for one in _attributes(stack)]


def _attributes(stack: Stack) -> list[list[Any]]:
    found: list[list[Any]] = _index(stack)["attributes"]
    return found


def _index(stack: Stack) -> dict[str, Any]:
    known: dict[str, Any] = stack.redis.ft(SEARCH_INDEX).info()
    return known

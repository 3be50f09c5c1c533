"""The states in which a learner's stack may be when an answer is checked, and what a stack holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import lab
from lab.course.restoring import checkpoint
from lab.names import COLLECTION
from lab.stack.gears import registrations
from lab.stack.model import Stack
from tests.lab.conftest import frozen

CAPTURE = """
def add(record):
    execute("XADD", "changes", "*", "key", record["key"], "event", record["event"])

GB("KeysReader").foreach(add).register(prefix="player:*", mode="sync")
"""
LEADERS = """
def follow(record):
    score = execute("HGET", record["key"], "score")
    execute(*(["ZADD", "leaders", score, record["key"]] if score else ["ZREM", "leaders", record["key"]]))

GB("KeysReader").foreach(follow).register(prefix="player:*", mode="sync")
"""
LATE = LEADERS.replace('"sync"', '"async"')

# Keys of the course and of its checks, each of another type than whoever comes next expects.
_TYPES: dict[str, list[tuple[Any, ...]]] = {
    "SET": [("changes", "x"), ("player:check", "x"), ("check-08:movie", "x"), ("leaders", "x")],
    "HSET": [("10:check", "a", 1), ("player:renamed", "score", 3), ("14:check:once", "a", 1)],
    "SADD": [("07:check", "a"), ("14:check:queue", "a"), ("stranger:check", "x")],
    "RPUSH": [("Review:check:1", "x"), ("02:note", "x")],
}


def _emptied(stack: Stack) -> None:
    lab.prepare("empty")


def _movies(stack: Stack) -> None:
    lab.prepare("empty", "movies")


def _registered(recipe: str) -> Callable[[Stack], None]:
    return lambda stack: lab.prepare("empty", "movies", recipe)


def _flushed(stack: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    # The recipe makes its indexes by itself, a moment after its registration: they are no answer's doing.
    lab.wait_until(lambda: f"{COLLECTION}_deleted" in stack.db.list_collection_names())
    stack.redis.flushall()


def _script(script: str) -> Callable[[Stack], None]:
    def register(stack: Stack) -> None:
        _movies(stack)
        stack.redis.execute_command("RG.PYEXECUTE", script)

    return register


def _leftovers(stack: Stack) -> None:
    """What a learner before this one has left: other types, odd people, doubled and odd movies."""
    _movies(stack)
    for command, lines in _TYPES.items():
        for words in lines:
            stack.redis.execute_command(command, *words)
    stack.redis.hset("person:twin-1", mapping={"name": "Ada", "age": "20"})
    stack.redis.hset("person:twin-2", mapping={"name": "Ada", "age": "50"})
    stack.redis.json().set("MovieEntity:1", "$.year", 1901)
    stack.redis.json().set("MovieEntity:900001", "$", {"movieId": "900001", "title": "Scratch"})
    movies = stack.db[COLLECTION]
    best = movies.find_one({"imdbRating": {"$gte": 8.6}})
    assert best
    movies.insert_one({"movieId": "900002", "title": best["title"], "imdbRating": 8.5})
    movies.insert_one({"movieId": "900003", "title": "Not rated"})
    for name in ("check_06", "check_14"):
        stack.db[name].create_index("n", unique=True)
        stack.db[name].insert_one({"movieId": "1", "n": 1})


def _odd_people(stack: Stack) -> None:
    _movies(stack)
    stack.redis.hset("person:7", mapping={"name": "Gale", "age": "unknown"})
    stack.redis.set("person:8", "no hash at all")


def _one_movie_less(stack: Stack) -> None:
    _movies(stack)
    for key in stack.redis.scan_iter("MovieEntity:*", count=1000, _type="ReJSON-RL"):
        if stack.redis.json().get(key, "$.title") == ["Alien"]:
            stack.redis.delete(key)


def _another_index(stack: Stack) -> None:
    _movies(stack)
    stack.redis.ft("MovieEntity:index").dropindex()
    stack.redis.execute_command(
        *["FT.CREATE", "MovieEntity:index", "ON", "JSON", "PREFIX", "1", "MovieEntity:", "SCHEMA"],
        *["$.title", "AS", "title", "TEXT"],
    )


def _from_checkpoint(number: str) -> Callable[[Stack], None]:
    return lambda stack: str(checkpoint(number)) and None


@contextmanager
def _without(service: str) -> Iterator[None]:
    lab.stop(service)
    try:
        yield
    finally:
        lab.start(service)


@contextmanager
def _set(stack: Stack, **bounds: Any) -> Iterator[None]:
    before = {name: stack.redis_direct.config_get(name)[name] for name in bounds}
    for name, value in bounds.items():
        stack.redis_direct.config_set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            stack.redis_direct.config_set(name, value)


@contextmanager
def _replica(stack: Stack) -> Iterator[None]:
    stack.redis_direct.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        stack.redis_direct.replicaof("NO", "ONE")


Trouble = Callable[[Stack], AbstractContextManager[None]]


def no_trouble(stack: Stack) -> AbstractContextManager[None]:
    return nullcontext()


def _full(stack: Stack) -> AbstractContextManager[None]:
    return _set(stack, **{"maxmemory": 1})


def _evicting(stack: Stack) -> AbstractContextManager[None]:
    used = stack.redis_direct.info("memory")["used_memory"]
    return _set(stack, **{"maxmemory-policy": "volatile-lru", "maxmemory": used})


STATES: dict[str, tuple[Callable[[Stack], None], Trouble]] = {
    "empty": (_emptied, no_trouble),
    "movies": (_movies, no_trouble),
    "checkpoint 05": (_from_checkpoint("05"), no_trouble),
    "checkpoint 09": (_from_checkpoint("09"), no_trouble),
    "write-through": (_registered("write-through"), no_trouble),
    "flushed": (_flushed, no_trouble),
    "captured already": (_script(CAPTURE), no_trouble),
    "leaderboard already": (_script(LEADERS), no_trouble),
    "leaderboard already, late": (_script(LATE), no_trouble),
    "leftovers": (_leftovers, no_trouble),
    "odd people": (_odd_people, no_trouble),
    "a movie less": (_one_movie_less, no_trouble),
    "another index": (_another_index, no_trouble),
    "MongoDB away": (_movies, lambda stack: _without("mongo")),
    "MongoDB silent": (_movies, lambda stack: frozen("mongo")),
    "Redis away": (_movies, lambda stack: _without("redis")),
    "Gears away": (_movies, lambda stack: _without("minigears")),
    "Redis full": (_movies, _full),
    "Redis evicts": (_movies, _evicting),
    "Redis is a replica": (_movies, _replica),
    "Redis wants replicas": (_movies, lambda stack: _set(stack, **{"min-replicas-to-write": 1})),
}


QUICK = {
    *(
        "empty",
        "movies",
        "flushed",
        "leftovers",
        "leaderboard already",
        "MongoDB away",
        "Redis away",
    ),
    "Redis full",
}
"""Those that `make test` tries."""


def held(stack: Stack) -> dict[str, Any]:
    """All that both stores hold, by name: keys, collections with their indexes, registrations."""
    redis, database = stack.redis_direct, stack.db
    found: dict[str, Any] = {key: raw(redis, key) for key in redis.scan_iter("*", count=1000)}
    for name in database.list_collection_names():
        documents = sorted(str(document) for document in database[name].find())
        found[name] = documents, sorted(database[name].index_information())
    found |= {known["id"]: "registered" for known in registrations(stack.redis)}
    return found


def raw(redis: Any, key: str) -> Any:
    """A key's value as DUMP has it, by a connection that decodes nothing."""
    return redis.execute_command("DUMP", key, NEVER_DECODE=True)

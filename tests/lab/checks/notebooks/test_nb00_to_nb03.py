"""The checks of notebooks 00 to 03 tell a learner what is wrong, and not only that it is."""

from __future__ import annotations

import re
from string import punctuation
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
import redis
from pymongo.errors import PyMongoError
from redis.commands.search.query import Query

import lab
from lab.names import SEARCH_INDEX
from lab.stack.model import Stack


def assert_refused(id: str, answer: Any, message: str) -> None:
    verdict = lab.check(id, answer)
    assert not verdict
    assert message in verdict.message


def test_the_front_door_is_told_from_the_other_ports(stack: Stack) -> None:
    direct, mongo = urlsplit(stack.redis_direct_url).port, urlsplit(stack.mongo_url).port
    assert lab.check("00-1", urlsplit(stack.redis_url).port)
    assert_refused("00-1", str(direct), "is of type str")
    assert_refused("00-1", direct, "Redis's own port")
    assert_refused("00-1", mongo, "MongoDB's port")
    assert_refused("00-1", 1, "No part of this stack")


def by_equality(in_redis: Any, in_mongo: Any) -> str:
    if in_redis is None:
        return "nowhere" if in_mongo is None else "only in MongoDB"
    return "arrived" if in_redis == in_mongo else "on its way"


def by_presence(in_redis: Any, in_mongo: Any) -> str:
    if in_redis is None:
        return by_equality(in_redis, in_mongo)
    return "arrived" if in_mongo else "on its way"


def by_truth(in_redis: Any, in_mongo: Any) -> str:
    seconds = [one["seconds"] if one else None for one in (in_redis, in_mongo)]
    if in_redis is None:
        return by_equality(in_redis, in_mongo)
    return "arrived" if seconds[0] and seconds[0] == seconds[1] else "on its way"


@pytest.mark.parametrize(
    ("where_is", "message"),
    [
        (7, "not a function"),
        (lambda in_redis, in_mongo: None, "not one of the words"),
        (lambda in_redis, in_mongo: "here", "none of the four"),
        (lambda in_redis, in_mongo: in_redis["seconds"], "no pause in either store"),
        (lambda in_redis, in_mongo: "arrived", "Nobody has pressed pause"),
        (lambda in_redis, in_mongo: "nowhere", "What carries it further?"),
        (by_equality, "Which field says where Ann stopped?"),
        (by_presence, "it still has the one before"),
        (by_truth, "Second 0 is a place"),
        (lambda r, m: by_presence(r or m, m), "Nothing is on its way|it still has the one before"),
    ],
)
def test_where_a_pause_is(where_is: Any, message: str) -> None:
    verdict = lab.check("00-2", where_is)
    assert not verdict
    assert any(words in verdict.message for words in message.split("|")), verdict


Pauses = list[dict[str, Any]]


def first_of_each(pauses: Pauses) -> Pauses:
    return list({pause["_id"]: pause for pause in reversed(pauses)}.values())


def greatest_of_each(pauses: Pauses) -> Pauses:
    ordered = sorted(pauses, key=lambda pause: pause["seconds"])
    return list({pause["_id"]: pause for pause in ordered}.values())


def last_of_each_movie(pauses: Pauses) -> Pauses:
    return list({pause["movieId"]: pause for pause in pauses}.values())


@pytest.mark.parametrize(
    ("latest", "message"),
    [
        (42, "not a function"),
        (lambda pauses: None, "returns `None`"),
        (lambda pauses: {pause["_id"]: pause for pause in pauses}, "the pauses themselves"),
        (lambda pauses: [pause["seconds"] for pause in pauses], "the pauses themselves"),
        (lambda pauses: pauses, "`ann:7` is there 3 times"),
        (last_of_each_movie, "`bob:7` is missing"),
        (first_of_each, "has 60 seconds"),
        (greatest_of_each, "has 4000 seconds"),
        (lambda pauses: pauses[1:2] + pauses[3:] or pauses[0], "IndexError"),
    ],
)
def test_only_the_last_pause_of_each_counts(latest: Any, message: str) -> None:
    assert_refused("01-1", latest, message)


def each_alone(arrivals: list[float], capacity: float) -> list[float]:
    return [1 / capacity for _ in arrivals]


def from_the_start(arrivals: list[float], capacity: float) -> list[float]:
    return [(number + 1) / capacity for number, _ in enumerate(arrivals)]


def with_credit(arrivals: list[float], capacity: float) -> list[float]:
    first = arrivals[0] if arrivals else 0
    done = [first + (number + 1) / capacity for number, _ in enumerate(arrivals)]
    return [max(1 / capacity, end - due) for end, due in zip(done, arrivals, strict=True)]


def until_it_begins(arrivals: list[float], capacity: float) -> list[float]:
    free, waits = 0.0, []
    for due in arrivals:
        waits.append(max(free - due, 0))
        free = max(free, due) + 1 / capacity
    return waits


def by_second(arrivals: list[float], capacity: float) -> list[float]:
    return [arrivals[:n].count(due) / capacity + 1 / capacity for n, due in enumerate(arrivals)]


@pytest.mark.parametrize(
    ("waits", "message"),
    [
        (7, "not a function"),
        (lambda arrivals, capacity: None, "not a list of seconds"),
        (lambda arrivals, capacity: [1], "each arrival has one wait"),
        (lambda arrivals, capacity: arrivals[0], "For nobody your function raised `IndexError"),
        (lambda arrivals, capacity: ["long" for _ in arrivals], "raised `ValueError"),
        (until_it_begins, "a write takes 0.1 seconds"),
        (each_alone, "begins when the first one's is done"),
        (by_second, "a queue outlasts its burst"),
        (with_credit, "An idle hour is not saved up"),
        (from_the_start, "a queue outlasts its burst"),
    ],
)
def test_how_long_a_crowd_waits(waits: Any, message: str) -> None:
    assert_refused("01-2", waits, message)


def test_a_restart_is_seen_in_redis_itself(stack: Stack) -> None:
    stack.redis.set("02:note", "still here")
    now = stack.redis.info("server")["run_id"]
    assert not lab.check("02-1", now, now)
    assert "not restarted" in lab.check("02-1", now, now).message
    assert "Run the exercise's cell" in lab.check("02-1", now, "0" * 40).message
    stack.redis.delete("02:note")
    assert "is gone" in lab.check("02-1", "0" * 40, now).message


def asks_nobody(redis_url: str, mongo_url: str) -> list[str]:
    return []


def asks_by_ping(redis_url: str, mongo_url: str) -> list[str]:
    """What `PING` is taken for by many: a sign of Gears."""
    found = []
    try:
        redis.Redis.from_url(redis_url, socket_timeout=1).ping()
    except redis.RedisError:
        found += ["redis", "gears"]
    with pymongo.MongoClient(mongo_url, serverSelectionTimeoutMS=1000) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            found.append("mongo")
    return found


def raises_what_the_client_raises(redis_url: str, mongo_url: str) -> list[str]:
    redis.Redis.from_url(redis_url).execute_command("RG.INFOCLUSTER")
    return []


@pytest.mark.parametrize(
    ("silent", "message"),
    [
        (7, "not a function"),
        (lambda *_: None, "not a list of names"),
        (lambda *_: ["door"], "not a list of names"),
        (lambda *_: ["gears"], "For a stack that runs you say ['gears']"),
        (asks_nobody, "What would only Gears answer?"),
        (asks_by_ping, "What would only Gears answer?"),
        (raises_what_the_client_raises, "catch that, and name the part"),
    ],
)
def test_who_is_silent(stack: Stack, silent: Any, message: str) -> None:
    assert_refused("02-2", silent, message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "still `None`"),
        (["Animation"], "is of type list"),
        ("@genres:{Animation", "does not understand"),
        ("@year:[1980 1999] @imdbRating:[8 +inf]", "is no animation"),
        ("@genres:{Animation} @imdbRating:[8 +inf]", "is found, but is of"),
        ("@genres:{Animation} @year:[1980 1999]", "is found, but is rated"),
        ("@genres:{Animation} @year:[1980 1999] @imdbRating:[(8.1 +inf]", "are missing"),
    ],
)
def test_a_query_is_judged_by_what_it_finds(stack: Stack, query: Any, message: str) -> None:
    lab.prepare("movies")
    assert_refused("03-2", query, message)


def titles(stack: Stack, query: str) -> list[str]:
    found: Any = stack.redis.ft(SEARCH_INDEX).search(Query(query).return_fields("title"))
    return [movie.title for movie in found.docs]


def in_words(stack: Stack, words: list[str]) -> list[str]:
    return titles(stack, " ".join(words)) if words else []


def without(typed: str, signs: str) -> list[str]:
    return "".join(" " if letter in signs else letter for letter in typed).split()


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (lambda stack, typed: None, "not a list of titles"),
        (lambda stack, typed: [], "you did not find 'Alien'"),
        (lambda stack, typed: titles(stack, typed), "A colon ends the name of a field"),
        (lambda stack, typed: titles(stack, f"@title:({typed})"), "raised `ResponseError"),
        (lambda stack, typed: in_words(stack, without(typed, ":'")), "where it means *not*"),
        (lambda stack, typed: in_words(stack, without(typed, ":'-")), "where it means *or*"),
        (
            lambda stack, typed: (
                titles(stack, typed) if "@" in typed else in_words(stack, without(typed, ":'-|"))
            ),
            "A user has just written a query of his own",
        ),
        (
            lambda stack, typed: titles(stack, f"@title:({' '.join(without(typed, punctuation))})"),
            "is empty at first",
        ),
        (
            lambda stack, typed: in_words(stack, without(typed, punctuation)),
            "A phone types this",
        ),
        (lambda stack, typed: in_words(stack, re.findall(r"\w+", typed)), "one word, dot and all"),
        (
            lambda stack, typed: in_words(stack, re.findall(r"[\w·]+", typed)),
            "they belong to the word",
        ),
    ],
)
def test_what_a_user_types_is_no_query(stack: Stack, search: Any, message: str) -> None:
    lab.prepare("movies")
    verdict = lab.check("03-3", lambda typed: search(stack, typed))
    assert not verdict
    assert message in verdict.message

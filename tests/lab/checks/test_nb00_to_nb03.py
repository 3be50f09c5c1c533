"""The checks of notebooks 00 to 03 tell a learner what is wrong, and not only that it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

import lab
from lab.stack.model import Stack


def assert_refused(id: str, answer: Any, message: str) -> None:
    verdict = lab.check(id, answer)
    assert not verdict
    assert message in verdict.message


def test_the_front_door_is_told_from_the_other_ports(stack: Stack) -> None:
    direct, mongo = urlsplit(stack.redis_direct_url).port, urlsplit(stack.mongo_url).port
    assert lab.check("00-1", urlsplit(stack.redis_url).port)
    assert_refused("00-1", str(direct), "is a str")
    assert_refused("00-1", direct, "Redis's own port")
    assert_refused("00-1", mongo, "MongoDB's port")
    assert_refused("00-1", 1, "No part of this stack")


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


def test_a_restart_is_seen_in_redis_itself(stack: Stack) -> None:
    stack.redis.set("02:note", "still here")
    now = stack.redis.info("server")["run_id"]
    assert not lab.check("02-1", now, now)
    assert "not restarted" in lab.check("02-1", now, now).message
    assert "Run the exercise's cell" in lab.check("02-1", now, "0" * 40).message
    stack.redis.delete("02:note")
    assert "is gone" in lab.check("02-1", "0" * 40, now).message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "still `None`"),
        (["Animation"], "is a list"),
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

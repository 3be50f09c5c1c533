"""Exercises that are made and not filled in: each wrong way is told by the misconception it shows."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import pytest
from pymongo import UpdateOne

import lab
from lab.checks import check, exercise
from lab.stack.gears import registrations
from lab.stack.model import Stack

SET_SCORE = 'lambda r: execute("ZADD", "leaders", r["value"]["score"], r["key"])'
FOLLOW = """
def follow(record):
    score = execute("HGET", record["key"], "score")
    execute(*(["ZADD", "leaders", score, record["key"]] if score else ["ZREM", "leaders", record["key"]]))

GB().foreach(follow).register({})
"""

BOARDS = [
    (7, "is of type int"),
    ("GB().run('player:*')", "registered nothing"),
    (FOLLOW.format('prefix="player:*"'), "Its mode is async"),
    (FOLLOW.format('prefix="*", mode="sync"'), "What is the prefix?"),
    (f'GB().foreach({SET_SCORE}).register("player:*", mode="sync")', "KeyError"),
    (
        FOLLOW.format('prefix="player:*", mode="sync", eventTypes=["hset", "del"]'),
        "HINCRBY raises `hincrby`",
    ),
    (
        FOLLOW.format('prefix="player:*", mode="sync", eventTypes=["hset", "hincrby", "del"]'),
        "that event is `hdel`",
    ),
    (
        FOLLOW.format(
            'prefix="player:*", mode="sync", eventTypes=["hset", "hincrby", "hdel", "del"]'
        ),
        "an event for each of its two keys",
    ),
]


@pytest.mark.parametrize(("script", "told"), BOARDS)
def test_a_leaderboard(stack: Stack, script: object, told: str) -> None:
    before = {known["id"] for known in registrations(stack.redis)}
    verdict = check("05-2", script)
    assert not verdict
    assert told in verdict.message
    assert {known["id"] for known in registrations(stack.redis)} == before


def one_by_one(entries: Any, collection: Any) -> None:
    for what, movie_id, text in entries:
        if what == "~":
            collection.delete_one({"movieId": movie_id})
        else:
            collection.replace_one({"movieId": movie_id}, json.loads(text), upsert=True)


def inserting(entries: Any, collection: Any) -> None:
    for _, _, text in entries:
        collection.insert_one(json.loads(text))


def setting(entries: Any, collection: Any) -> None:
    for _, movie_id, text in entries:
        collection.update_one({"movieId": movie_id}, {"$set": json.loads(text)}, upsert=True)


def with_other_quotes(entries: Any, collection: Any) -> None:
    one_by_one([(a, b, text.replace("'", '"')) for a, b, text in entries], collection)


def without_asking(entries: Any, collection: Any) -> None:
    collection.bulk_write([UpdateOne({"movieId": i}, {"$set": {}}) for _, i, _ in entries])


def deletes_last(entries: Any, collection: Any) -> None:
    one_by_one(sorted(entries, key=lambda entry: entry[0]), collection)


def new_first(r: Any, queue: str, me: str, idle: int | None = 30_000) -> list[Any]:
    got = r.xreadgroup("workers", me, {queue: ">"}, count=100)
    if not got and idle is not None:
        return r.xautoclaim(queue, "workers", me, min_idle_time=idle)[1]
    return got[0][1] if got else []


def never_the_dead(r: Any, queue: str, me: str) -> list[Any]:
    mine = r.xreadgroup("workers", me, {queue: "0"})
    return mine[0][1] if mine and mine[0][1] else new_first(r, queue, me, idle=None)


def from_the_living(r: Any, queue: str, me: str, idle: int = 0) -> list[Any]:
    mine = r.xreadgroup("workers", me, {queue: "0"})
    return mine[0][1] if mine and mine[0][1] else new_first(r, queue, me, idle)


def by_group(stack: Stack, stream: str) -> str:
    """Without a look at the age: wakes somebody for each entry."""
    groups = stack.redis.xinfo_groups(stream) if stack.redis.exists(stream) else []
    if not stack.redis.exists(stream) or not stack.redis.xlen(stream):
        return "idle"
    return "stuck" if groups and groups[0]["pending"] else "nobody reads"


def in_milliseconds(stack: Stack, stream: str) -> str:
    """Takes the age in milliseconds for one in seconds."""
    oldest = stack.redis.xrange(stream, count=1)
    if oldest and time.time() * 1000 - int(oldest[0][0].split("-")[0]) > 10:
        return "stuck"
    return "working" if oldest else "idle"


def by_first_group(stack: Stack, stream: str) -> str:
    oldest = stack.redis.xrange(stream, count=1)
    if not oldest:
        return "idle"
    if time.time() - int(oldest[0][0].split("-")[0]) / 1000 <= 10:
        return "working"
    return "stuck" if stack.redis.xinfo_groups(stream)[0]["pending"] else "nobody reads"


def last_ok(history: Any, found: Any) -> list[str]:
    promised = {viewer: seconds for viewer, seconds, reply in history if reply == "OK"}
    return [viewer for viewer, seconds in promised.items() if found.get(viewer) != seconds]


def missing(history: Any, found: Any) -> list[str]:
    return [viewer for viewer, _, reply in history if reply == "OK" and viewer not in found]


def last_minus_first(samples: Any) -> float:
    seconds = samples[-1][0] - samples[0][0] if samples else 0
    return (samples[-1][1] - samples[0][1]) / seconds if seconds else 0.0


ANSWERS = [
    ("06-2", 7, "not a function"),
    ("06-2", lambda entries, collection: None, "There may be nothing to do|After two new movies"),
    ("06-2", without_asking, "For an empty batch your function raised"),
    ("06-2", inserting, "a movie is there twice"),
    ("06-2", setting, "what it does not hold has to go"),
    ("06-2", with_other_quotes, "For two new movies your function raised"),
    ("06-2", deletes_last, "the order counts"),
    ("06-2", one_by_one, "took 100 requests"),
    ("07-3", lambda stream: None, "not one of the words"),
    ("07-3", lambda stream: "fine", "none of the four"),
    ("07-3", lambda stream: "idle", "each entry waits for a moment"),
    ("07-3", in_milliseconds, "5 seconds old"),
    ("07-3", by_group, "each entry waits for a moment"),
    ("07-3", by_first_group, "no group at all your function raised `IndexError"),
    ("09-2", lambda history, found: None, "not a list of names"),
    ("09-2", lambda history, found: [], "OK was a promise"),
    ("09-2", missing, "the later promise counts"),
    ("09-2", last_ok, "The failed one may have happened"),
    ("10-3", lambda r, queue, me: None, "not a list of pairs"),
    ("10-3", lambda r, queue, me: r.xreadgroup("workers", me, {queue: ">"}), "unpack it|of pairs"),
    ("10-3", new_first, "did not come again"),
    ("10-3", never_the_dead, "An entry of a dead worker is missing"),
    ("10-3", from_the_living, "a worker that is alive"),
    ("10-3", partial(from_the_living, idle=30), "Redis counts milliseconds"),
    ("11-3", lambda samples: None, "not a number"),
    ("11-3", lambda samples: samples[-1][1], "For no samples your function raised"),
    ("11-3", last_minus_first, "began again at 0"),
]


@pytest.mark.parametrize(("id", "answer", "told"), ANSWERS)
def test_an_answer(stack: Stack, id: str, answer: Any, told: str) -> None:
    if answer in (by_group, by_first_group, in_milliseconds):
        verdict = check(id, lambda stream: answer(stack, stream))
    else:
        verdict = check(id, answer)
    assert not verdict
    assert any(words in verdict.message for words in told.split("|")), verdict
    assert "could not be checked" not in verdict.message


MADE = [
    *(
        "00-2",
        "01-2",
        "02b-1",
        "03-3",
        "04-2",
        "05-2",
        "06-2",
        "07-3",
        "08-2",
        "09-2",
        "10-3",
        "11-3",
    ),
    *("12-3", "13-3"),
]


@pytest.mark.parametrize("id", MADE)
def test_nothing_is_there_to_fill_in(id: str) -> None:
    assert len(exercise(id).stub.splitlines()) == 1


@pytest.mark.parametrize("id", [id for id in MADE if id not in ("02b-1", "04-2", "05-2")])
def test_the_stub_is_told_what_is_missing(stack: Stack, id: str) -> None:
    lab.prepare("movies")
    made = exercise(id)
    passed, told = made.judge(made.run(made.stub, {"stack": stack}))
    assert not passed
    assert "None" in told or "holds {}" in told, told

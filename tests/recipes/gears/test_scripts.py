"""The scripts beside the write-behind recipe: dead letters come back, and drift is found and repaired."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

import lab
from lab.cells.prepare import recipes
from lab.stack.gears import registrations
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    OURS,
    STREAM,
    dead_letters,
    in_mongo,
    in_redis,
    part,
    put,
    queued,
    register,
    settle,
)

pytestmark = pytest.mark.xdist_group("recipes")


def replay() -> int:
    results, errors = lab.run_gears(recipes() / "movies_replay.py")
    assert errors == []
    return int(results[0])


def reconcile(task: str) -> list[str]:
    """What the report says, sorted: first the number of differences."""
    script = recipes() / "movies_reconcile.py"
    reply = lab.run_gears(script, ["pymongo==3.12.0"], {"reconcile": task})
    results, errors = reply
    assert errors == []
    return sorted(results)


def evict(stack: Stack, key: str) -> None:
    """Let Redis itself evict a key."""
    stack.redis_direct.config_set("maxmemory-policy", "volatile-ttl")
    stack.redis.expire(key, 3600)
    stack.redis_direct.config_set("maxmemory", "1mb")
    try:
        lab.wait_until(lambda: not stack.redis_direct.exists(key), "it is evicted", 60)
    finally:
        stack.redis_direct.config_set("maxmemory", "0")


def test_dead_letters_come_back_mended(stack: Stack) -> None:
    register(stack, OURS)
    put(stack.redis, "1", ["Metropolis"])
    put(stack.redis, "2", {"movieId": "2", "_id": 7})
    lab.wait_until(lambda: len(dead_letters(stack)) == 2, "both are buried", 60)
    reader = part(stack, "StreamReader")["id"]
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", reader)
    put(stack.redis, "1", {"movieId": "1", "title": "Metropolis"})
    stack.redis.delete(STREAM)  # nothing but the letter tells of it
    assert replay() == 2
    stack.redis.execute_command("RG.UNPAUSEREGISTRATIONS", reader)
    lab.wait_until(lambda: not queued(stack), "all is written or buried", 60)
    assert in_mongo(stack) == [{"movieId": "1", "title": "Metropolis"}]
    [again] = dead_letters(stack)
    assert json.loads(again["redisgears"]) == {"movieId": "2", "_id": 7}
    assert again["attempts"] == "1"


def test_a_dead_letter_of_a_movie_that_redis_evicted_brings_its_own(stack: Stack) -> None:
    register(stack, OURS)
    stack.db.movies.create_index("imdb", unique=True, sparse=True)
    for movie_id in "12":
        put(stack.redis, movie_id, {"movieId": movie_id, "imdb": 1})
        settle(stack)
    [letter] = dead_letters(stack)
    stack.db.movies.drop_index("imdb_1")
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", part(stack, "StreamReader")["id"])
    evict(stack, "MovieEntity:2")
    stack.redis.delete(STREAM)
    register(stack, OURS)
    assert letter["version"]
    assert replay() == 1
    lab.wait_until(lambda: len(in_mongo(stack)) == 2, "it is written", 60)


def test_an_old_dead_letter_replaces_nothing_newer(stack: Stack) -> None:
    register(stack, OURS)
    stack.redis.json().set("MovieEntity:1", "$", {"n": 2**64 - 1})
    settle(stack)
    [letter] = dead_letters(stack)
    put(stack.redis, "1", {"movieId": "1", "n": 5})
    settle(stack)
    old = {name: value for name, value in letter.items() if name not in ("attempts", "error")}
    stack.redis.xadd(STREAM, {**old, "redisgears": '{"n": 4}'})
    settle(stack)
    assert in_mongo(stack) == [{"movieId": "1", "n": 5}]
    stack.redis.delete("MovieEntity:1")
    settle(stack)
    stack.redis.xadd(STREAM, {**old, "redisgears": '{"n": 4}'})
    settle(stack)
    assert in_mongo(stack) == []


def test_drift_is_found_and_repaired(stack: Stack) -> None:
    register(stack, OURS)
    for number in range(8):
        put(stack.redis, str(number), {"movieId": str(number), "n": number})
    stack.redis.expire("MovieEntity:6", 3600)
    settle(stack)
    lab.wait_until(lambda: stack.db.movies.count_documents({}) == 8, "all are written", 60)
    assert reconcile("report") == ["0 differences, 0 to be repaired"]

    movies = stack.db.movies
    movies.update_one({"movieId": "0"}, {"$set": {"n": "planted"}})
    movies.delete_one({"movieId": "1"})
    movies.drop_index("movieId_1")
    movies.insert_one({"movieId": "2", "n": "twice"})
    movies.insert_one({"movieId": "stranger"})
    stack.redis.delete("MovieEntity:3")
    settle(stack)
    movies.insert_one({"movieId": "3", "_v": "0", "n": "risen"})
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    movies.insert_one({"movieId": "expired", "_v": "0", "_expires": past})
    movies.update_one({"movieId": "4"}, {"$set": {"_expires": past + timedelta(hours=9)}})
    planted = [
        "MovieEntity:0: differs",
        "MovieEntity:1: missing",
        "MovieEntity:2: more than one document",
        "MovieEntity:3: was deleted",
        "MovieEntity:4: expires at another time",
        "MovieEntity:expired: has expired",
        "MovieEntity:stranger: only in MongoDB",
    ]
    assert reconcile("report") == ["7 differences, 0 to be repaired", *planted]
    assert reconcile("repair") == ["7 differences, 6 to be repaired", *planted]
    left = ["1 differences, 0 to be repaired", "MovieEntity:stranger: only in MongoDB"]
    lab.wait_until(lambda: reconcile("report") == left, "all but the stranger is repaired", 60)
    reconcile("delete")
    lab.wait_until(
        lambda: reconcile("report") == ["0 differences, 0 to be repaired"], "it is gone, too", 60
    )
    assert dead_letters(stack) == []


def test_flushall_is_found(stack: Stack) -> None:
    register(stack, OURS)
    for number in range(3):
        put(stack.redis, str(number), {"movieId": str(number)})
    settle(stack)
    stack.redis.flushall()
    put(stack.redis, "1", {"movieId": "1", "n": "new"})
    settle(stack)
    assert [line.rpartition(": ")[2] for line in reconcile("delete")[1:]] == ["only in MongoDB"] * 2
    lab.wait_until(lambda: in_mongo(stack) == in_redis(stack), "both are equal", 60)


def test_reconcile_says_what_it_needs(stack: Stack) -> None:
    with pytest.raises(lab.LabError, match="Set it to report, repair or delete"):
        reconcile("maybe")
    with pytest.raises(lab.LabError, match="is not registered"):
        reconcile("repair")
    assert registrations(stack.redis) == []


def read(stack: Stack, movie_id: str) -> list[dict[str, object]]:
    return [
        json.loads(text)
        for text in stack.redis.execute_command("RG.TRIGGER", "ReadMovie", movie_id)
    ]


def test_a_read_knows_what_waits_and_what_redis_has_evicted(stack: Stack) -> None:
    register(stack, OURS)
    for _ in range(2):  # the second replaces the first
        assert lab.run_gears(recipes() / "movies_read.py", ["pymongo==3.12.0"]) in ("OK", b"OK")
    assert read(stack, "1") == []
    old, new = ({"movieId": "1", "n": n} for n in (1, 2))
    put(stack.redis, "1", old)
    settle(stack)
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", part(stack, "StreamReader")["id"])
    put(stack.redis, "1", new)
    put(stack.redis, "2", old)
    assert read(stack, "1") == [new]
    evict(stack, "MovieEntity:1")
    stack.redis.hset(
        "_movies-dirty-{06S}", "MovieEntity:1", "expire"
    )  # found no room: memory was short
    assert read(stack, "1") == [new]
    stack.redis.delete("MovieEntity:2")
    assert read(stack, "2") == []
    stack.redis.delete(STREAM)
    assert read(stack, "1") == [old]
    stack.redis.set("MovieEntity:1", "no movie any more")
    assert read(stack, "1") == []


def test_figures_tell_of_what_waits_and_of_what_was_buried(stack: Stack) -> None:
    def figures() -> dict[str, float]:
        lines, errors = lab.run_gears(recipes() / "movies_figures.py")
        assert errors == []
        return {name: float(value) for name, value in map(str.split, lines)}

    assert figures()["movies_registered"] == 0
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1"})
    put(stack.redis, "2", ["no object"])
    settle(stack)
    quiet = figures()
    assert quiet["movies_registered"] == quiet["movies_dead_letters"] == 1
    assert quiet["movies_queue_entries"] == quiet["movies_oldest_seconds"] == 0
    assert quiet["movies_lag_seconds"] >= 0
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", part(stack, "StreamReader")["id"])
    put(stack.redis, "1", {"movieId": "1", "n": 2})
    lab.wait_until(lambda: figures()["movies_oldest_seconds"] > 0, "the entry ages", 60)
    assert figures()["movies_queue_entries"] == 1

"""MongoDB frozen, or there again without its data: no wait without an end, and nothing is left as it was."""

from __future__ import annotations

import threading
import time

import pytest
import redis

import lab
from lab.cells.prepare import recipes
from lab.stack.model import Stack
from tests.recipes.gears.families import OURS, URL_NAME, in_mongo, in_redis, put, queued, register
from tests.recipes.mongoproxy import in_front_of

pytestmark = pytest.mark.xdist_group("recipes")

THROUGH = (recipes() / "movies_write_through.py").read_text()


def test_a_frozen_mongodb_can_be_left(stack: Stack) -> None:
    with in_front_of(stack) as proxy:
        register(stack, OURS)
        put(stack.redis, "1", {"movieId": "1"})
        lab.wait_until(lambda: len(in_mongo(stack)) == 1, "the first is written", 60)
        proxy.flowing.clear()
        put(stack.redis, "2", {"movieId": "2"})
        [stream] = stack.redis.scan_iter("_movies-stream-*", _type="stream", count=1000)
        lab.wait_until(lambda: stack.redis.xinfo_groups(stream)[0]["pending"] == 1, "it waits", 60)
        stack.redis.execute_command("RG.CONFIGSET", URL_NAME, stack.mongo_url)
        register(stack, OURS)
        lab.wait_until(lambda: not queued(stack), "the healthy one has it", 40)
        assert in_mongo(stack) == in_redis(stack)


def test_write_through_waits_two_seconds_for_a_frozen_mongodb(stack: Stack) -> None:
    """The shortest of three waits: the machine may be busy."""
    waits = []
    with in_front_of(stack) as proxy:
        register(stack, THROUGH)
        for number in range(3):
            lab.wait_until(lambda at=number: is_through(stack, at), "it writes", 60)
            proxy.flowing.clear()
            began = time.perf_counter()
            with pytest.raises(redis.ResponseError, match="MongoDB did not confirm"):
                put(stack.redis, "1", {"movieId": "1", "n": "frozen"})
            waits.append(time.perf_counter() - began)
            proxy.flowing.set()
    assert min(waits) < 2.5, waits


def is_through(stack: Stack, number: int) -> bool:
    try:
        put(stack.redis, "1", {"movieId": "1", "n": number})
    except redis.ResponseError:
        return False
    return True


def test_a_crowd_does_not_queue_for_a_frozen_mongodb(stack: Stack) -> None:
    """Ten writers who wait one after the other would need ten times as long as one."""
    told: list[float] = []

    def write(number: int) -> None:
        with pytest.raises(redis.ResponseError, match="MongoDB"):
            put(stack.redis, str(number), {"movieId": str(number)})
        told.append(time.perf_counter())

    with in_front_of(stack) as proxy:
        register(stack, THROUGH)
        lab.wait_until(lambda: is_through(stack, 0), "it writes", 60)
        proxy.flowing.clear()
        began = time.perf_counter()
        crowd = [threading.Thread(target=write, args=(number,)) for number in range(10)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
    first, last = min(told) - began, max(told) - began
    assert last < 5 * first, (first, last)


@pytest.mark.parametrize("recipe", [OURS, THROUGH], ids=["behind", "through"])
def test_a_mongodb_without_its_data_gets_its_index_again(stack: Stack, recipe: str) -> None:
    register(stack, recipe)
    put(stack.redis, "1", {"movieId": "1"})
    lab.wait_until(lambda: len(in_mongo(stack)) == 1, "the first is written", 60)
    stack.db.drop_collection("movies")

    def unique() -> bool:
        put(stack.redis, "1", {"movieId": "1"})
        indexes = stack.db.movies.index_information()
        return bool(indexes.get("movieId_1", {}).get("unique"))

    lab.wait_until(unique, "the index is there again", 60)


@pytest.mark.parametrize("recipe", [OURS, THROUGH], ids=["behind", "through"])
def test_duplicates_in_mongodb_are_deleted_with_their_movie(stack: Stack, recipe: str) -> None:
    stack.db.movies.insert_many([{"movieId": "1", "n": number} for number in range(3)])
    register(stack, recipe)
    put(stack.redis, "1", {"movieId": "1", "n": "new"})
    stack.redis.delete("MovieEntity:1")
    lab.wait_until(lambda: in_mongo(stack) == [], "none is left", 60)


def test_of_duplicates_one_is_left_when_their_movie_is_written(stack: Stack) -> None:
    stack.db.movies.insert_many([{"movieId": "1", "n": number} for number in range(3)])
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1", "n": "new"})
    lab.wait_until(lambda: in_mongo(stack) == [{"movieId": "1", "n": "new"}], "one is left", 60)
    put(stack.redis, "2", {"movieId": "2"})

    def unique() -> bool:
        put(stack.redis, "2", {"movieId": "2"})
        return "unique" in stack.db.movies.index_information().get("movieId_1", {})

    lab.wait_until(unique, "the index can be made now", 60)

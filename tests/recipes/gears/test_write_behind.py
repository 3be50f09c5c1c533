"""The write-behind recipe: everything arrives, through outages and crashes, and nothing else does."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import lab
from lab.cells.load import LoadResult
from lab.cells.prepare import RECIPE_REQUIREMENTS
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    OURS,
    SHIPPED,
    STREAM,
    dead_letters,
    failures,
    in_mongo,
    in_redis,
    part,
    put,
    queued,
    register,
    settle,
)

pytestmark = pytest.mark.xdist_group("recipes")

MOVIES = lab.load_movies()


def put_all(stack: Stack) -> None:
    pipeline = stack.redis.pipeline(transaction=False)
    for movie in MOVIES:
        put(pipeline, movie["movieId"], movie)
    pipeline.execute()


def everything_arrived(stack: Stack) -> None:
    """Fail unless MongoDB comes to hold what Redis holds, with nothing given up."""
    lab.wait_until(lambda: not queued(stack), "the stream is empty", 60)
    assert in_mongo(stack) == in_redis(stack)
    assert dead_letters(stack) == []


def test_the_whole_dataset_arrives(stack: Stack) -> None:
    register(stack, OURS)
    put_all(stack)
    everything_arrived(stack)
    found = {movie["movieId"]: movie for movie in in_mongo(stack)}
    assert found == {movie["movieId"]: movie for movie in MOVIES}
    assert stack.db.movies.count_documents({}) == len(MOVIES)
    assert stack.db.movies.index_information()["movieId_1"]["unique"]

    changed = {**MOVIES[0], "title": 'Schindler’s "List"'}
    put(stack.redis, "1", changed)
    stack.redis.json().set("MovieEntity:2", "$.title", 'Gökten Üç Elma Düştü: it\'s "новый"')
    stack.redis.json().arrappend("MovieEntity:3", "$.genres", "Music")
    stack.redis.json().delete("MovieEntity:4", "$.tagline")
    stack.redis.delete("MovieEntity:5")
    stack.redis.json().delete("MovieEntity:6")
    everything_arrived(stack)
    assert stack.db.movies.find_one({"movieId": "1"}, {"_id": 0, "_v": 0}) == changed
    assert stack.db.movies.count_documents({}) == len(MOVIES) - 2


def test_rgsync_as_shipped_stops_at_the_first_apostrophe(stack: Stack) -> None:
    register(stack, SHIPPED)
    put_all(stack)
    lab.wait_until(lambda: failures(stack) >= 1, "its worker failed")
    assert stack.db.movies.count_documents({}) == 0
    assert queued(stack) == len(MOVIES)


def load(stack: Stack, seconds: float, rate: float, during: Any) -> LoadResult:
    """Write movies of their own ids; `during(written)` breaks things meanwhile."""
    written: list[int] = []
    trouble = threading.Thread(target=during, args=(written,))

    def write(number: int) -> None:
        movie = {**MOVIES[number % len(MOVIES)], "movieId": str(number)}
        try:
            put(stack.redis, str(number), movie)
        finally:
            written.append(number)

    trouble.start()
    try:
        return lab.load(write, rate, seconds, workers=4)
    finally:
        trouble.join()


def acknowledged_ids(result: LoadResult) -> set[str]:
    return {str(n) for n in range(len(result.scheduled)) if n not in result.errors}


def test_an_outage_of_mongodb_loses_nothing(stack: Stack) -> None:
    rate = 40

    def outage(written: list[int]) -> None:
        lab.wait_until(lambda: len(written) > rate, "a second of writes", 60)
        lab.stop("mongo")
        # Arrivals keep their schedule, so their number tells the time: ten seconds.
        lab.wait_until(lambda: len(written) > 11 * rate, "ten seconds of writes", 60)
        lab.start("mongo")

    register(stack, OURS)
    result = load(stack, 12, rate, outage)
    assert not result.errors
    everything_arrived(stack)
    assert stack.db.movies.count_documents({}) == len(result.scheduled)


def test_a_crash_of_gears_loses_no_acknowledged_write(stack: Stack) -> None:
    def crash(written: list[int]) -> None:
        for moment in (100, 300):
            lab.wait_until(lambda at=moment: len(written) > at, "some writes", 60)
            lab.kill("minigears")
            lab.start("minigears")

    register(stack, OURS)
    result = load(stack, 6, 80, crash)
    assert result.errors, "the crashes came after the load"
    lab.wait_until(lambda: not queued(stack), "the stream is empty", 60)
    lab.wait_until(lambda: in_mongo(stack) == in_redis(stack), "both stores are equal")
    assert acknowledged_ids(result) <= {movie["movieId"] for movie in in_mongo(stack)}
    assert dead_letters(stack) == []


def test_registering_again_while_clients_write_loses_nothing(stack: Stack) -> None:
    def upgrades(written: list[int]) -> None:
        for moment in (100, 200, 300):
            lab.wait_until(lambda at=moment: len(written) > at, "some writes", 60)
            register(stack, OURS)

    register(stack, OURS)
    result = load(stack, 5, 80, upgrades)
    assert not result.errors
    everything_arrived(stack)
    assert stack.db.movies.count_documents({}) == len(result.scheduled)


def test_entries_that_come_twice_do_no_harm(stack: Stack) -> None:
    register(stack, OURS)
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", part(stack, "StreamReader")["id"])
    for title in ("first", "second"):
        put(stack.redis, "1", {"movieId": "1", "title": title})
        put(stack.redis, "2", {"movieId": "2", "title": title})
    stack.redis.delete("MovieEntity:2")
    for _, fields in stack.redis.xrange(STREAM):
        stack.redis.xadd(STREAM, fields)
    stack.redis.execute_command("RG.UNPAUSEREGISTRATIONS", part(stack, "StreamReader")["id"])
    everything_arrived(stack)
    assert in_mongo(stack) == [{"movieId": "1", "title": "second"}]


def test_what_mongodb_itself_refuses_is_buried_too(stack: Stack) -> None:
    register(stack, OURS)
    stack.db.movies.create_index("imdb", unique=True, sparse=True)
    for movie_id in "123":
        put(
            stack.redis,
            movie_id,
            {"movieId": movie_id, "imdb": "tt" + movie_id[-1].replace("2", "1")},
        )
    settle(stack)
    assert [movie["movieId"] for movie in in_mongo(stack)] == ["1", "3"]
    [letter] = dead_letters(stack)
    assert letter["_original_key"] == "MovieEntity:2"
    assert "E11000" in letter["error"]


def test_a_dead_letter_that_is_mended_goes_back_into_the_stream(stack: Stack) -> None:
    register(stack, OURS)
    put(stack.redis, "1", ["Metropolis"])
    settle(stack)
    [letter] = dead_letters(stack)
    mended = {name: value for name, value in letter.items() if name != "error"}
    stack.redis.xadd(STREAM, {**mended, "redisgears": '{"title":"Metropolis"}'})
    settle(stack)
    assert in_mongo(stack) == [{"movieId": "1", "title": "Metropolis"}]


def test_eviction_deletes_nothing_in_mongodb(stack: Stack) -> None:
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1"})
    settle(stack)
    stack.redis_direct.config_set("maxmemory-policy", "volatile-ttl")
    stack.redis.expire("MovieEntity:1", 3600)
    stack.redis_direct.config_set("maxmemory", "1mb")
    try:
        lab.wait_until(lambda: not stack.redis_direct.exists("MovieEntity:1"), "it is evicted")
    finally:
        stack.redis_direct.config_set("maxmemory", "0")
    put(stack.redis, "2", {"movieId": "2"})
    settle(stack)
    assert stack.db.movies.distinct("movieId") == ["1", "2"]


@pytest.mark.parametrize("recipe", ["movies_write_behind.py", "movies_write_through.py"])
def test_without_mongo_url_the_error_says_what_to_type(stack: Stack, recipe: str) -> None:
    stack.redis.execute_command("RG.CONFIGSET", "mongoUrl", "")
    with pytest.raises(lab.LabError, match=r"redis-cli RG\.CONFIGSET mongoUrl mongodb://"):
        lab.run_gears(lab.paths.root() / "recipes" / "gears" / recipe, RECIPE_REQUIREMENTS)

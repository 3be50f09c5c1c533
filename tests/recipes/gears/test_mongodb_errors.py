"""What MongoDB says decides: what passes is waited for, documents at fault are buried, all else is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import redis

import lab
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    OURS,
    dead_letters,
    failures,
    in_mongo,
    put,
    queued,
    register,
)
from tests.recipes.mongoproxy import (
    Command,
    MongoProxy,
    Rule,
    failing,
    in_front_of,
    refusing,
    unsafe,
)

pytestmark = pytest.mark.xdist_group("recipes")

GOOD = [{"movieId": str(number), "title": "Metropolis"} for number in range(3)]


@pytest.fixture
def proxy(stack: Stack) -> Iterator[MongoProxy]:
    """What the recipe takes for MongoDB; registered already."""
    with in_front_of(stack) as proxy:
        register(stack, OURS)
        yield proxy


def put_good(stack: Stack) -> None:
    for movie in GOOD:
        put(stack.redis, movie["movieId"], movie)


def about_movies(rule: Rule) -> Rule:
    """The rule for the collection of movies only, as if all others were well."""

    def only(command: Command) -> Command | None:
        name = command.get("update") or command.get("delete")
        return rule(command) if name == "movies" else None

    return only


PASSING = {
    "disk full, per document": refusing(14031),
    "not primary, per document": refusing(10107),
    "stepping down, per document": refusing(189),
    "disk full, of movies only": about_movies(refusing(14031)),
    "not primary, as a whole": failing(10107),
    "no rights": failing(13),
    "an error that nobody knows": failing(424242),
    "one that nobody knows, but may be tried again": about_movies(
        failing(424242, ("RetryableWriteError",))
    ),
    "written, but not safely": unsafe,
}


@pytest.mark.parametrize("rule", PASSING.values(), ids=list(PASSING))
def test_what_passes_buries_nothing(stack: Stack, proxy: MongoProxy, rule: Rule) -> None:
    proxy.rule = rule
    put_good(stack)
    lab.wait_until(lambda: failures(stack) >= 2, "it has tried twice", 60)
    assert dead_letters(stack) == []
    assert queued(stack) == len(GOOD)
    proxy.rule = None
    lab.wait_until(lambda: not queued(stack), "everything is written", 60)
    assert in_mongo(stack) == GOOD
    assert dead_letters(stack) == []


def test_a_deletion_that_was_broken_off_after_its_tombstone_is_done(
    stack: Stack, proxy: MongoProxy
) -> None:
    put_good(stack)
    lab.wait_until(lambda: not queued(stack), "everything is written", 60)
    before = failures(stack)
    proxy.rule = about_movies(failing(10107))
    stack.redis.delete("MovieEntity:0")
    lab.wait_until(lambda: failures(stack) >= before + 2, "it has tried twice", 60)
    proxy.rule = None
    lab.wait_until(lambda: not queued(stack), "the deletion is through", 60)
    assert in_mongo(stack) == GOOD[1:]


def of_poison(operation: Command) -> bool:
    return bool(operation["q"].get("movieId") == "poison")


@pytest.mark.parametrize(
    ("code", "attempts"),
    [(121, "1"), (17280, "1"), (16755, "1"), (10334, "1"), (15, "1"), (424242, "5")],
    ids=["validator", "index key too long", "no place", "too large", "nested too deep", "unknown"],
)
def test_a_document_at_fault_is_buried_and_the_rest_written(
    stack: Stack, proxy: MongoProxy, code: int, attempts: str
) -> None:
    proxy.rule = refusing(code, of_poison)
    put(stack.redis, "poison", {"movieId": "poison"})
    put_good(stack)
    lab.wait_until(lambda: not queued(stack), "all is written or buried", 60)
    assert in_mongo(stack) == GOOD
    [letter] = dead_letters(stack)
    assert letter["_original_key"] == "MovieEntity:poison"
    assert str(code) in letter["error"]
    assert letter["attempts"] == attempts
    assert letter["redisgears"] == '{"movieId":"poison"}'


def test_a_document_that_fails_its_whole_command_is_found(stack: Stack, proxy: MongoProxy) -> None:
    """MongoDB says nothing of the documents of a command that it cannot read."""

    def rule(command: Command) -> Command | None:
        if any(map(of_poison, command.get("updates", []))):
            return failing(15)(command)
        return None

    proxy.rule = rule
    put_good(stack)
    put(stack.redis, "poison", {"movieId": "poison"})
    lab.wait_until(lambda: not queued(stack), "all is written or buried", 60)
    assert in_mongo(stack) == GOOD
    [letter] = dead_letters(stack)
    assert letter["_original_key"] == "MovieEntity:poison"


def test_seven_hundred_levels_stop_nobody(stack: Stack) -> None:
    register(stack, OURS)
    part = '{"a":' * 100 + "1" + "}" * 100  # in one go RedisJSON takes 128 levels
    for level in range(0, 700, 100):
        stack.redis.execute_command("JSON.SET", "MovieEntity:deep", "$" + ".a" * level, part)
    put_good(stack)
    lab.wait_until(lambda: not queued(stack), "all is written or buried", 60)
    assert in_mongo(stack) == GOOD
    assert '{"a":' * 700 + "1" in dead_letters(stack)[-1]["redisgears"]
    put(stack.redis, "deep", {"movieId": "deep"})
    lab.wait_until(lambda: len(in_mongo(stack)) == 4, "its next version is written", 60)


@pytest.mark.parametrize(
    ("key", "document"),
    [
        (b"MovieEntity:\xff\xfe", b'{"a":1}'),
        (b"MovieEntity:zero\0byte", b'{"a":1}'),
        (b"MovieEntity:surrogate", b'{"a":"\\ud800"}'),
        (b"MovieEntity:huge", b'{"a":1e400}'),
        (b"MovieEntity:dollar", b'{"$set":{"a":1}}'),
        (b"MovieEntity:ours", b'{"_v":"9"}'),
    ],
)
def test_keys_and_values_out_of_the_ordinary_stop_nobody(
    stack: Stack, key: bytes, document: bytes
) -> None:
    register(stack, OURS)
    with contextlib.suppress(redis.ResponseError):  # RedisJSON may refuse it: nothing to write
        stack.redis.execute_command("JSON.SET", key, "$", document)
    stack.redis.delete(key)
    put_good(stack)
    lab.wait_until(lambda: not queued(stack), "all is written or buried", 60)
    assert {movie["movieId"] for movie in in_mongo(stack)} >= {"0", "1", "2"}

"""Redis has no memory, refuses writes, or loses the stream: what it acknowledged reaches MongoDB all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

import lab
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    DEAD_LETTERS,
    OURS,
    STREAM,
    URL_NAME,
    dead_letters,
    in_mongo,
    in_redis,
    part,
    put,
    queued,
    register,
)

pytestmark = pytest.mark.xdist_group("recipes")

DIRTY = "_movies-dirty-{06S}"
SETTINGS = ("maxmemory", "maxmemory-policy", "min-replicas-to-write", "notify-keyspace-events")


@pytest.fixture
def direct(stack: Stack) -> Iterator[redis.Redis]:
    """Redis itself, whose settings are put back."""
    client = stack.redis_direct
    before = {name: client.config_get(name)[name] for name in SETTINGS}
    yield client
    client.replicaof("NO", "ONE")
    for name, value in before.items():
        client.config_set(name, value)


def equal(stack: Stack) -> None:
    """Wait until both stores hold the same."""

    def same() -> bool:
        return not queued(stack) and not stack.redis_direct.exists(DIRTY)

    lab.wait_until(lambda: same() and in_mongo(stack) == in_redis(stack), "both are equal", 60)
    assert dead_letters(stack) == []


def fill(direct: redis.Redis) -> None:
    direct.config_set("maxmemory-policy", "noeviction")
    direct.config_set("maxmemory", "1mb")


@pytest.mark.parametrize("mongo_is_there", [True, False])
def test_redis_is_full(stack: Stack, direct: redis.Redis, mongo_is_there: bool) -> None:
    register(stack, OURS)
    for number in range(5):
        put(stack.redis, str(number), {"movieId": str(number), "n": 1})
    equal(stack)
    if not mongo_is_there:
        lab.stop("mongo")
    fill(direct)
    with pytest.raises(redis.OutOfMemoryError):
        put(stack.redis, "0", {"movieId": "0", "n": 5})
    for number in range(100):
        assert stack.redis.json().numincrby("MovieEntity:1", "$.n", 1) == [2 + number]
    assert stack.redis.delete("MovieEntity:2") == 1
    assert stack.redis.json().delete("MovieEntity:3") == 1
    assert stack.redis.expire("MovieEntity:4", 0)
    assert direct.xlen(STREAM) < 50, "what cannot be written is a key, not an entry a change"
    if not mongo_is_there:
        lab.start("mongo")
    equal(stack)
    assert in_mongo(stack) == [{"movieId": "0", "n": 1}, {"movieId": "1", "n": 101}]


def test_a_stream_at_its_limit_remembers_keys(stack: Stack, direct: redis.Redis) -> None:
    stack.redis.execute_command("RG.CONFIGSET", "streamLimit", "300")
    register(stack, OURS)
    stack.redis.execute_command("RG.CONFIGSET", "streamLimit", "100000")
    lab.stop("mongo")
    try:
        for number in range(1200):
            put(stack.redis, str(number % 350), {"movieId": str(number % 350), "n": number})
        for number in range(10):
            stack.redis.delete(f"MovieEntity:{number}")
        assert direct.xlen(STREAM) <= 300
        assert direct.hlen(DIRTY) <= 350
    finally:
        lab.start("mongo")
    equal(stack)
    assert stack.db.movies.count_documents({}) == 340


def test_what_redis_evicts_while_the_stream_is_full_is_not_lost(
    stack: Stack, direct: redis.Redis
) -> None:
    stack.redis.execute_command("RG.CONFIGSET", "streamLimit", "200")
    register(stack, OURS)
    stack.redis.execute_command("RG.CONFIGSET", "streamLimit", "100000")
    lab.stop("mongo")
    try:
        for number in range(150):
            put(stack.redis, str(number), {"movieId": str(number)})
        put(stack.redis, "evicted", {"movieId": "evicted", "n": 1})
        stack.redis.delete("MovieEntity:evicted")  # a mark that is out of date with the next line
        put(stack.redis, "evicted", {"movieId": "evicted", "n": 2})
        stack.redis.expire("MovieEntity:evicted", 3600)
        stack.redis.json().set("MovieEntity:evicted", "$.n", 3)
        direct.config_set("maxmemory-policy", "volatile-ttl")
        direct.config_set("maxmemory", "1mb")
        lab.wait_until(lambda: not direct.exists("MovieEntity:evicted"), "it is evicted")
        direct.config_set("maxmemory", "0")
    finally:
        lab.start("mongo")
    lab.wait_until(lambda: not queued(stack) and not direct.exists(DIRTY), "all is written", 60)
    found = stack.db.movies.find_one({"movieId": "evicted"})
    assert found
    assert found["n"] == 3
    assert stack.db.movies.count_documents({}) == 151


@pytest.mark.parametrize("name", [STREAM, DIRTY, DEAD_LETTERS])
def test_another_type_under_our_name_is_set_aside(stack: Stack, name: str) -> None:
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1", "n": 1})
    equal(stack)
    stack.redis.delete(name)
    stack.redis.set(name, "a stranger's")
    put(stack.redis, "1", {"movieId": "1", "n": 2})
    put(stack.redis, "2", {"movieId": "2"})
    lab.wait_until(lambda: len(in_mongo(stack)) == 2, "the new one is there", 60)
    lab.wait_until(lambda: in_mongo(stack) == in_redis(stack), "both are equal", 60)
    aside = list(stack.redis.scan_iter(name.replace("{", "\\{") + "-set-aside-*", count=1000))
    if name == STREAM:
        assert [stack.redis.get(key) for key in aside] == ["a stranger's"]


def test_keys_that_expire_while_redis_takes_no_writes(stack: Stack, direct: redis.Redis) -> None:
    """NOREPLICAS: clients are refused, but Redis itself lets keys expire."""
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1"})
    put(stack.redis, "2", {"movieId": "2"})
    equal(stack)
    stack.redis.pexpire("MovieEntity:1", 3000)
    direct.config_set("min-replicas-to-write", 1)
    with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
        put(stack.redis, "2", {"movieId": "2", "n": 1})
    lab.wait_until(lambda: not direct.exists("MovieEntity:1"), "it expired")
    lab.wait_until(lambda: in_mongo(stack) == [{"movieId": "2"}], "and left MongoDB", 60)
    direct.config_set("min-replicas-to-write", 0)
    equal(stack)


def test_a_write_whose_entry_redis_refuses_waits_for_mongodb(
    stack: Stack, direct: redis.Redis
) -> None:
    """As when MISCONF sets in between the write and its entry: here each EVAL is refused."""
    refused = OURS.replace("return execute('EVAL', script", "return execute('EVALX', script")
    assert refused != OURS
    register(stack, refused)
    for number in (1, 2):
        put(stack.redis, "1", {"movieId": "1", "n": number})
        assert in_mongo(stack) == [{"movieId": "1", "n": number}]
    stack.redis.delete("MovieEntity:1")
    assert in_mongo(stack) == []
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1", "n": 3})
    equal(stack)


def test_nobody_registers_where_redis_evicts_the_stream(stack: Stack, direct: redis.Redis) -> None:
    direct.config_set("maxmemory-policy", "allkeys-lfu")
    with pytest.raises(lab.LabError, match="CONFIG SET maxmemory-policy volatile-lfu"):
        register(stack, OURS)


def test_nobody_registers_at_a_replica(stack: Stack, direct: redis.Redis) -> None:
    direct.config_set("replica-read-only", "no")  # it would take entries, and lose them at a sync
    direct.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(lab.LabError, match="replica"):
            register(stack, OURS)
    finally:
        direct.replicaof("NO", "ONE")
        direct.config_set("replica-read-only", "yes")


def test_a_policy_that_evicts_the_stream_is_set_back(stack: Stack, direct: redis.Redis) -> None:
    register(stack, OURS)
    direct.config_set("maxmemory-policy", "allkeys-random")
    put(stack.redis, "1", {"movieId": "1"})
    lab.wait_until(
        lambda: direct.config_get("maxmemory-policy")["maxmemory-policy"] == "volatile-random",
        "it is set back",
        60,
    )


LOSSES: dict[str, Callable[[Any], Any]] = {
    "DEL": lambda client: client.delete(STREAM),
    "RENAME": lambda client: client.rename(STREAM, "elsewhere"),
    "SET": lambda client: client.set(STREAM, "a stranger's"),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=list(LOSSES))
def test_a_stream_that_was_lost_is_made_good(
    stack: Stack, direct: redis.Redis, lose: Callable[[Any], Any]
) -> None:
    register(stack, OURS)
    put(stack.redis, "0", {"movieId": "0"})
    put(stack.redis, "1", {"movieId": "1"})
    equal(stack)
    reader = part(stack, "StreamReader")["id"]
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", reader)
    put(stack.redis, "1", {"movieId": "1", "n": "acknowledged"})
    lose(direct)
    stack.redis.execute_command("RG.UNPAUSEREGISTRATIONS", reader)
    put(stack.redis, "2", {"movieId": "2"})
    equal(stack)
    assert {"movieId": "1", "n": "acknowledged"} in in_mongo(stack)
    assert stack.redis.execute_command("RG.CONFIGGET", URL_NAME)


def test_lab_up_names_a_policy_that_evicts(
    stack: Stack, direct: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.run_gears("GB().foreach(lambda x: None).register(prefix='other:*')")
    direct.config_set("maxmemory-policy", "allkeys-lru")

    def named() -> bool:
        lab.up()
        return "CONFIG SET maxmemory-policy volatile-lru" in capsys.readouterr().out

    lab.wait_until(named, "it is named", 30)

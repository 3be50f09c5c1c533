"""Capture: a document and its entry change together, or neither does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from recipes.streams import (
    Conflict,
    Limits,
    Misconfigured,
    Partitions,
    QueueFull,
    Refused,
    WriteBehind,
)
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.working import QUICK
from tests.recipes.streams.writing import KEY, entries, needs_json


def everything(redis: Redis) -> dict[bytes, Any]:
    """All data in Redis, to compare."""
    return {key: redis.dump(key) for key in redis.scan_iter() if not key.endswith(b":state")}


@needs_json
def test_each_change_has_the_whole_document_in_its_entry(wb: WriteBehind) -> None:
    wb.set(KEY, {"n": 1, "list": []})
    wb.increment(KEY, "$.n", 2.5)
    wb.append(KEY, "$.list", "a", {"b": None})
    wb.set_path(KEY, "$.new", True)
    wb.merge(KEY, {"n": None})
    wb.delete(KEY)
    docs = [json.loads(e[b"doc"]) if e[b"doc"] else None for e in entries(wb)]
    assert docs == [
        {"n": 1, "list": []},
        {"n": 3.5, "list": []},
        {"n": 3.5, "list": ["a", {"b": None}]},
        {"n": 3.5, "list": ["a", {"b": None}], "new": True},
        {"list": ["a", {"b": None}], "new": True},
        None,
    ]


@needs_json
def test_a_refused_change_changes_nothing(wb: WriteBehind, redis: Redis) -> None:
    wb.set(KEY, {"word": "x"})
    redis.rpush("Movie:list", "x")
    before = everything(redis)
    for write in (
        lambda: wb.increment("Movie:none", "$.n", 1),
        lambda: wb.set_path("Movie:none", "$.n", 1),
        lambda: wb.set("Movie:list", {}),
        lambda: wb.merge("Movie:list", {}),
        lambda: wb._one(wb.call("JSON.SET", KEY, "$", "{not json")),
        lambda: wb._one(wb.call("HSET", KEY, "a", "b")),
    ):
        with pytest.raises(Refused):
            write()
        assert everything(redis) == before
    assert wb.set_path(KEY, "$.none.at.all", 1) is None
    assert everything(redis) == before


@pytest.mark.parametrize("which", ["stream", "state"])
def test_a_queue_key_of_another_type_is_an_error_before_anything(
    wb: WriteBehind, redis: Redis, which: str
) -> None:
    wb.prepare()
    redis.set(getattr(wb.partitions.of(KEY), which), "a stranger's")
    with pytest.raises(Refused, match="WRONGTYPE"):
        wb.set(KEY, {})
    assert wb.get(KEY) is None


@pytest.mark.parametrize(
    "limits", [Limits(entries=3, wait=0.1), Limits(bytes=3000, wait=0.1)], ids=["entries", "bytes"]
)
def test_a_full_queue_is_waited_for_and_then_said(redis: Redis, limits: Limits) -> None:
    wb = WriteBehind(redis, Partitions(1), limits)
    for _ in range(3):
        wb.set(KEY, {"text": "x" * 900})
    with pytest.raises(QueueFull, match=r"at its limit.*nothing was changed"):
        wb.set(KEY, {"text": "y" * 900})
    with pytest.raises(QueueFull):
        wb.delete(*[KEY] * (1 if limits.entries == 3 else 500))
    assert redis.xlen("wb:{p00}") < 100
    redis.xtrim("wb:{p00}", maxlen=0)
    wb.set(KEY, {"text": "y" * 900})
    assert wb.get(KEY)["text"][0] == "y"


@pytest.fixture
def out_of_memory(redis: Redis, wb: WriteBehind) -> Iterator[None]:
    wb.set(KEY, {"n": 1})
    redis.config_set("maxmemory", 1)
    yield
    redis.config_set("maxmemory", 0)


def test_out_of_memory_is_a_full_queue_with_nothing_half_done(
    out_of_memory: None, redis: Redis, wb: WriteBehind
) -> None:
    wb.limits = Limits(wait=0.1)
    before = everything(redis)
    for write in (lambda: wb.set(KEY, {}), lambda: wb.delete(KEY), lambda: wb.expire(KEY, 1)):
        with pytest.raises(QueueFull, match=r"Redis has no memory left.*nothing was changed"):
            write()
    assert everything(redis) == before


@needs_json
def test_a_client_on_which_json_was_called_may_be_shared(wb: WriteBehind, redis: Redis) -> None:
    redis.json()
    wb.set(KEY, {"n": 1, "list": []})
    assert wb.get(KEY) == {"n": 1, "list": []}
    assert wb.increment(KEY, "$.n") == [2]
    assert wb.append(KEY, "$.list", "a") == [1]


def test_a_redis_that_may_evict_the_queue_is_refused(redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(Misconfigured, match="allkeys-lru"):
            WriteBehind(redis).set(KEY, {})
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    WriteBehind(redis).set(KEY, {})


def test_compare_and_set(wb: WriteBehind) -> None:
    wb.set(KEY, {"n": 1})
    document, etag = wb.get_with_etag(KEY)
    wb.set(KEY, {**document, "other": True})
    with pytest.raises(Conflict, match="read it again"):
        wb.set(KEY, {**document, "mine": True}, if_match=etag)
    wb.update(KEY, lambda document: {**document, "mine": True})
    assert wb.get(KEY) == {"n": 1, "other": True, "mine": True}
    _, absent = wb.get_with_etag("Movie:2")
    wb.set("Movie:2", {}, if_match=absent)
    with pytest.raises(Conflict):
        wb.set("Movie:2", {}, if_match=absent)


@pytest.mark.parametrize(
    "key", ["Movie:{a}:1", "Movie: b\n\t1", "Movie::a:b:", "Movie:ü{}}{", "Movie:{p01}:1"]
)
def test_odd_keys(wb: WriteBehind, key: str) -> None:
    wb.set(key, {"n": 1})
    assert wb.get(key) == {"n": 1}
    assert entries(wb)[0][b"key"] == key.encode()


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800", "x" * 1001, "Movie:{p99}:1"])
def test_keys_that_cannot_be(wb: WriteBehind, key: str) -> None:
    with pytest.raises((Refused, Misconfigured)):
        wb.set(key, {"n": 1})
    assert entries(wb) == []


@pytest.mark.parametrize(
    "bad", [float("nan"), {1, 2}, "\ud800", 2**70, -(2**63) - 1, "x" * (17 << 20)]
)
def test_documents_that_cannot_be(wb: WriteBehind, bad: object) -> None:
    with pytest.raises(Refused):
        wb.set(KEY, {"bad": [bad]})
    assert entries(wb) == []


def test_other_partitions_are_an_error_that_says_both_numbers(
    wb: WriteBehind, redis: Redis
) -> None:
    wb.prepare()
    with pytest.raises(Misconfigured, match=r"2 partitions .* 3"):
        WriteBehind(redis, Partitions(3)).set(KEY, {})


def test_versions_go_on_after_the_stream_was_deleted_and_the_clock_stepped_back(
    wb: WriteBehind, redis: Redis
) -> None:
    wb.prepare()
    at = wb.partitions.of(KEY)
    hour = (redis.time()[0] + 3600) * 1000
    redis.hset(at.state, "last", f"{hour}-5")  # what was given before the clock stepped back
    assert wb.set(KEY, {}) == f"{hour}-6"
    redis.delete(at.stream)
    assert wb.set(KEY, {}) == f"{hour}-7"


def test_everything_survives_sigkill(
    wb: WriteBehind, redis: Redis, redis_server: PlainRedis
) -> None:
    redis.config_set("appendfsync", "always")
    wb.set(KEY, {"n": 1})
    redis_server.kill()
    redis_server.start()
    wait_for(lambda: redis_server.client().ping())
    assert wb.increment(KEY, "$.n") == [2]
    assert len(entries(wb)) == 2


def test_a_read_only_replica_is_said(redis: Redis, wb: WriteBehind) -> None:
    wb.set(KEY, {"n": 1})
    wb.limits = Limits(wait=0.1)
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(ResponseError, match=r"read only|READONLY"):
            wb.set(KEY, {"n": 2})
    finally:
        redis.replicaof("NO", "ONE")
    assert wb.get(KEY) == {"n": 1}


@pytest.mark.parametrize("missing", ["xadd", "hset", "zrem"])
@needs_json
def test_whom_redis_does_not_let_queue_changes_nothing(
    redis: Redis, redis_server: PlainRedis, missing: str
) -> None:
    WriteBehind(redis, QUICK.partitions).set(KEY, {"n": 1})
    before = everything(redis)
    redis.execute_command(
        "ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "+@all", f"-{missing}"
    )
    try:
        with redis_server.client(username="app", password="pw") as theirs:
            wb = WriteBehind(theirs, QUICK.partitions)
            [outcome] = wb.run([wb.call("JSON.NUMINCRBY", KEY, "$.n", 1)])
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert isinstance(outcome, Exception)
    assert f"needs '{missing}'" in str(outcome)
    assert everything(redis) == before

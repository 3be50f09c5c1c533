"""Capture: a document and its entry change together, or neither does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError, ResponseError

from recipes.streams import (
    Conflict,
    Limits,
    Misconfigured,
    Partitions,
    QueueFull,
    Refused,
    WriteBehind,
)
from recipes.streams.client import parcels
from recipes.streams.core.library import SOURCE, VERSION
from tests.recipes.servers import PlainRedis, has_json, wait_for
from tests.recipes.streams.conftest import QUICK

KEY = "Movie:1"
needs_json = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")


def entries(wb: WriteBehind) -> list[dict[bytes, bytes]]:
    found = [e for p in wb.partitions.all() for e in wb.redis.xrange(p.stream)]
    return [fields for _, fields in sorted(found)]


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


class LosesReplies:
    """A client that sends, and loses what comes back, so many times."""

    def __init__(self, redis: Redis, times: int):
        self._redis, self.times = redis, times

    def execute_command(self, *args: Any, **options: Any) -> Any:
        reply = self._redis.execute_command(*args, **options)
        if args[1:2] in (("wb_set",), ("wb_write",), ("wb_bundle",)) and self.times:
            self.times -= 1
            raise ConnectionError("the reply was lost")
        return reply

    def pipeline(self, transaction: Any = True) -> Any:
        pipe = self._redis.pipeline(transaction=transaction)
        execute = pipe.execute

        def lossy(raise_on_error: bool = True) -> Any:
            replies = execute(raise_on_error)
            if self.times:
                self.times -= 1
                raise ConnectionError("the replies were lost")
            return replies

        pipe.execute = lossy
        return pipe


@needs_json
def test_a_retry_after_a_lost_reply_applies_once(redis: Redis) -> None:
    wb = WriteBehind(LosesReplies(redis, 0), QUICK.partitions)
    wb.set(KEY, {"n": 0, "list": []})
    wb.redis.times = 3  # type: ignore[attr-defined]
    assert wb.increment(KEY, "$.n") == [1]
    wb.redis.times = 1  # type: ignore[attr-defined]
    assert wb.append(KEY, "$.list", "a") == [1]
    wb.redis.times = 1  # type: ignore[attr-defined]
    wb.redis.times = 2  # type: ignore[attr-defined]
    version = wb.set(KEY, {"n": 2})
    assert redis.xrevrange(wb.partitions.of(KEY).stream)[0][0].decode() == version
    wb.redis.times = 1  # type: ignore[attr-defined]
    assert wb.delete(KEY) == 1
    assert redis.xlen(wb.partitions.of(KEY).stream) == 5


def test_what_a_later_call_has_passed_comes_too_late(redis: Redis) -> None:
    """A set that hung on its way, while its client went on."""
    wb, lane = WriteBehind(redis, Partitions(1)), parcels.Lane("lane")
    wb.prepare()
    sets = [parcels.Parcel([wb._set(KEY, {"n": n}, "")], lane, n) for n in (99, 100)]
    late, later = (parcel.words(wb.limits) for parcel in sets)
    version = redis.execute_command(*later)
    assert redis.execute_command(*later)[0] == version
    with pytest.raises(ResponseError, match="WBLATE"):
        redis.execute_command(*late)
    assert wb.get(KEY) == {"n": 100}
    assert len(entries(wb)) == 1


@needs_json
def test_a_client_of_the_version_before_goes_on(redis: Redis) -> None:
    """It says so in the words of version 4, which numbered its calls as they come."""
    wb = WriteBehind(redis, Partitions(1))
    wb.prepare()
    at = wb.partitions[0]

    def write(number: int, *change: str) -> Any:
        head = f"4 lane {number} - - 1000 1000000 -"
        keys = (KEY, at.stream, at.state, at.due)
        return redis.execute_command("FCALL", "wb_write", 4, *keys, head, *change)

    first = write(9, "JSON.SET", "$", '{"n": 0}')
    assert first[1] == b"OK"
    assert write(9, "JSON.SET", "$", '{"n": 0}') == first
    second = write(10, "JSON.NUMINCRBY", "$.n", "1")
    assert write(10, "JSON.NUMINCRBY", "$.n", "1") == second
    with pytest.raises(ResponseError, match="WBLATE"):
        write(9, "JSON.SET", "$", '{"n": 0}')
    assert wb.get(KEY) == {"n": 1}
    assert len(entries(wb)) == 2


@needs_json
def test_a_pipeline_whose_replies_were_lost_applies_once_and_in_order(redis: Redis) -> None:
    wb = WriteBehind(LosesReplies(redis, 0), QUICK.partitions)
    wb.set(KEY, {"n": 0})
    wb.redis.times = 2  # type: ignore[attr-defined]
    outcomes = wb.run([wb.call("JSON.NUMINCRBY", KEY, "$.n", 1) for _ in range(20)])
    assert [json.loads(o.reply) for o in outcomes] == [[n] for n in range(1, 21)]  # type: ignore[union-attr]
    assert wb.get(KEY) == {"n": 20}


@needs_json
def test_a_refused_call_of_a_pipeline_keeps_its_place_after_a_lost_reply(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is refused for want of room, room comes, the second would be taken."""
    wb = WriteBehind(redis, Partitions(1), Limits(entries=3, wait=5))
    for n in range(3):
        wb.set(f"Movie:{n}", {})
    monkeypatch.setattr(parcels, "MOST_CALLS", 1)
    calls = [wb.call("JSON.SET", KEY, "$", json.dumps({"n": n})) for n in range(4)]
    send, sent = wb._send, []

    def with_room_in_the_middle(todo: list[Any]) -> list[Any]:
        sent.append(len(todo))
        if len(sent) > 1:
            return send(todo)
        first = send(todo[:1])
        redis.xtrim("wb:{p00}", maxlen=0)  # as if a worker had drained it
        send(todo[1:])  # applied or refused: the replies are lost
        return [*first, *[ConnectionError("lost")] * 3]

    monkeypatch.setattr(wb, "_send", with_room_in_the_middle)
    outcomes = wb.run(calls)
    assert not any(isinstance(outcome, Exception) for outcome in outcomes[:3])
    docs = [json.loads(e[b"doc"])["n"] for e in entries(wb)]
    assert docs == [0, 1, 2]


@needs_json
def test_lanes_are_bounded(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "MOST_CALLS", 1)
    wb = WriteBehind(redis, Partitions(1))
    for _ in range(5):
        wb.lanes._free.clear()  # as a thousand short-lived clients leave them
        wb.run([wb.call("JSON.SET", f"Movie:{n}", "$", "{}") for n in range(1000)])
    assert redis.hlen("wb:{p00}:state") < 2100


def test_a_forked_child_shares_no_lane(wb: WriteBehind, redis: Redis) -> None:
    wb.set(KEY, {"n": 0})
    child = os.fork()
    if child == 0:
        redis.connection_pool.reset()
        done = wb.increment(KEY, "$.n") == [1]
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert wb.increment(KEY, "$.n") == [2]


@pytest.mark.parametrize(
    "limits", [Limits(entries=3, wait=0.1), Limits(bytes=3000, wait=0.1)], ids=["entries", "bytes"]
)
def test_a_full_queue_is_waited_for_and_then_said(redis: Redis, limits: Limits) -> None:
    wb = WriteBehind(redis, Partitions(1), limits)
    for _ in range(3):
        wb.set(KEY, {"text": "x" * 900})
    with pytest.raises(QueueFull, match="nothing was changed"):
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
        with pytest.raises(QueueFull):
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


def test_an_older_library_is_replaced_also_while_the_client_runs(
    wb: WriteBehind, redis: Redis
) -> None:
    wb.set(KEY, {"n": 1})
    older = SOURCE.replace(
        f"VERSION, OLDEST = {VERSION}, ", f"VERSION, OLDEST = {VERSION - 1}, 0 -- "
    )
    redis.function_load(older, replace=True)
    wb.set(KEY, {"n": 2})
    assert redis.fcall("wb_version", 0) == VERSION
    redis.function_flush()
    assert wb.get(KEY) == {"n": 2}
    redis.function_flush()
    wb.set(KEY, {"n": 3})
    assert len(entries(wb)) == 3


def test_a_newer_library_is_left_alone(wb: WriteBehind, redis: Redis) -> None:
    newer = SOURCE.replace(f"VERSION, OLDEST = {VERSION}, ", "VERSION, OLDEST = 99, 98 -- ")
    redis.function_load(newer)
    with pytest.raises(Misconfigured, match="version 99"):
        wb.set(KEY, {"n": 1})
    assert redis.fcall("wb_version", 0) == 99


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

"""What no application means to say, and one day does: odd commands, keys anywhere in them, and odd times."""

from __future__ import annotations

import asyncio
import contextlib
import json
from enum import Enum
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from recipes.streams import (
    AsyncCapturingRedis,
    CapturingRedis,
    NotCaptured,
    Refused,
    Sink,
    WriteBehind,
)
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.working import QUICK, Start
from tests.recipes.streams.writing import KEY, drained, entries
from tests.recipes.writecommands import KEY as ANYWHERE
from tests.recipes.writecommands import SOURCES, cases


class Name(str, Enum):
    MOVIE = KEY


@pytest.mark.parametrize("key", [KEY, KEY.encode(), memoryview(KEY.encode()), Name.MOVIE])
def test_a_key_is_captured_whatever_type_it_has(
    wb: WriteBehind, capturing: CapturingRedis, key: Any
) -> None:
    capturing.set(key, "{}")
    capturing.delete(key)
    assert [e[b"key"] for e in entries(wb)] == [KEY.encode()] * 2


@pytest.mark.parametrize(
    "words",
    [
        ("SORT", "other", "STORE", KEY),
        ("GEORADIUS", "other", "0", "0", "1", "km", "STORE", KEY),
        ("MIGRATE", "127.0.0.1", "1", "", "0", "10", "KEYS", "other", KEY),
        ("ZUNIONSTORE", KEY, "1", "other"),
        ("BITOP", "NOT", KEY, "other"),
        ("LMPOP", "1", KEY, "LEFT"),
    ],
    ids=lambda words: words[0],
)
def test_a_key_anywhere_in_a_command_is_seen(
    wb: WriteBehind, capturing: CapturingRedis, words: tuple[str, ...]
) -> None:
    wb.set(KEY, {"n": 1})
    wb.redis.delete("other")
    with pytest.raises(NotCaptured):
        capturing.execute_command(*words)
    assert wb.get(KEY) == {"n": 1}


def test_what_a_command_has_done_before_it_fails_is_queued(
    wb: WriteBehind, capturing: CapturingRedis
) -> None:
    """RedisJSON goes from place to place, and stops at the first that it cannot change."""
    left = {"n": 1.7e308, "o": {"n": 1e308}}
    words = ("JSON.NUMINCRBY", KEY, "$..n", "1.7e308")
    for together in (False, True):
        wb.set(KEY, {**left, "n": 1})
        if together:
            with capturing.pipeline(transaction=False) as pipe:
                pipe.execute_command(*words)
                pipe.execute_command("JSON.NUMINCRBY", f"{KEY}none", "$.n", 1)
                assert all(isinstance(e, Exception) for e in pipe.execute(raise_on_error=False))
        else:
            with pytest.raises(Refused):
                capturing.execute_command(*words)
        assert wb.get(KEY) == left
        assert json.loads(entries(wb)[-1][b"doc"]) == left
        assert {e[b"key"] for e in entries(wb)} == {KEY.encode()}


def test_no_way_to_a_pipeline_goes_past_capture(wb: WriteBehind, capturing: CapturingRedis) -> None:
    for group in (capturing.json, capturing.ft, capturing.ts):
        with pytest.raises(NotCaptured, match="pipeline"):
            group().pipeline()
    capturing.transaction(lambda pipe: pipe.set(KEY, "{}"))
    with capturing.client() as one:
        one.set(KEY, "{}")
    with capturing.pipeline() as pipe:
        pipe.watch("other")
        pipe.set(KEY, "{}")
        pipe.multi()
        pipe.set(KEY, "{}")
        pipe.execute()
    assert len(entries(wb)) == 4


def test_no_way_to_a_pipeline_goes_past_capture_in_asyncio(
    wb: WriteBehind, redis_server: PlainRedis
) -> None:
    async def work() -> None:
        client = AsyncCapturingRedis.from_url(
            redis_server.url, prefixes=["Movie:"], partitions=QUICK.partitions
        )
        with pytest.raises(NotCaptured, match="pipeline"):
            client.json().pipeline()
        async with client.client() as one:
            await one.set(KEY, "{}")
        await client.transaction(lambda pipe: pipe.set(KEY, "{}"))
        await client.aclose()

    asyncio.run(work())
    assert len(entries(wb)) == 2


def test_a_time_to_live_goes_with_its_document(
    wb: WriteBehind, capturing: CapturingRedis, redis: Redis
) -> None:
    """As in Redis: RENAME takes it along, SET ends it, and a change of a part leaves it."""
    for n in range(8):  # from and to each partition
        old, new = f"Movie:old{n}", f"Movie:new{n}"
        wb.set(old, {"n": 1})
        wb.set(new, {"n": 2})
        wb.expire(new, 7)
        wb.expire(old, 100)
        capturing.rename(old, new)
        assert 90 < capturing.ttl(new) <= 100
        assert capturing.ttl(old) == -2
    wb.set("Movie:for ever", {})
    capturing.rename("Movie:for ever", "Movie:new0")
    assert capturing.ttl("Movie:new0") == -1
    wb.expire("Movie:new1", 100)
    capturing.rename("Movie:new1", "Movie:new1")
    assert capturing.ttl("Movie:new1") > 90


def test_set_ends_a_time_to_live(wb: WriteBehind, capturing: CapturingRedis) -> None:
    capturing.set("Movie:text", "{}")
    if wb.redis.type("Movie:text") != b"string":
        pytest.skip("documents are JSON here")
    capturing.expire("Movie:text", 100)
    capturing.set("Movie:text", "{}")
    assert capturing.ttl("Movie:text") == -1


@pytest.mark.parametrize("seconds", [0, -1, -1e9, 0.0001])
def test_a_time_to_live_that_is_over_deletes(
    wb: WriteBehind, sink: Sink, start_worker: Start, seconds: float
) -> None:
    wb.set(KEY, {"n": 1})
    assert wb.expire(KEY, seconds)
    assert not wb.expire("Movie:none", seconds)
    start_worker(sink)
    wait_for(lambda: wb.get(KEY) is None, 60, "the document to expire")
    drained(wb)
    stored = sink.read(KEY)
    assert stored is not None
    assert stored.document is None


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300, "soon"])
def test_a_time_to_live_that_is_no_time_is_refused(wb: WriteBehind, seconds: Any) -> None:
    wb.set(KEY, {"n": 1})
    with pytest.raises(Refused, match="seconds"):
        wb.expire(KEY, seconds)
    assert wb.get(KEY) == {"n": 1}


def test_a_time_of_day_is_by_the_clock_of_redis(
    wb: WriteBehind, capturing: CapturingRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's clock an hour ahead would delete a document that has half an hour to live."""
    wb.set(KEY, {"n": 1})
    now = wb.redis.time()[0]
    monkeypatch.setattr("time.time", lambda: now + 3600.0)
    assert capturing.expireat(KEY, now + 1800)
    assert wb.get(KEY) == {"n": 1}
    assert capturing.ttl(KEY) > 1700


def test_ten_thousand_keys_are_deleted_in_one_call(
    wb: WriteBehind, capturing: CapturingRedis, redis: Redis
) -> None:
    keys = [f"Movie:{n}" for n in range(10_000)]
    for delete in (wb.delete, capturing.delete):
        wb.run([call for key in keys for call in [wb._set(key, {}, "")]])
        assert delete(*keys) == 10_000
        assert sum(1 for e in entries(wb) if not e[b"doc"]) == 10_000
        assert not list(redis.scan_iter("Movie:*"))
        for at in wb.partitions.all():
            redis.xtrim(at.stream, 0, approximate=False)
    assert wb.delete() == 0


def test_no_write_command_that_this_server_has_goes_past_capture(
    wb: WriteBehind, capturing: CapturingRedis, redis: Redis, redis_server: PlainRedis
) -> None:
    """Each is tried with the document's key at each place that `COMMAND DOCS` tells of."""
    wb.set(KEY, {"n": 1})
    stream, before = wb.partitions.of(KEY).stream, redis.dump(KEY)
    went, tried = [], cases(redis_server.client(decode_responses=True))
    assert len(tried) > 500
    for source, words in tried:
        with redis.pipeline(transaction=False) as pipe:
            pipe.delete(f"source:{source}")
            pipe.execute_command(*SOURCES[source])
            pipe.execute()
        waits = redis.xlen(stream)
        here = [KEY if word == ANYWHERE else word for word in words]
        with contextlib.suppress(NotCaptured, Refused, ResponseError, IndexError, ValueError):
            capturing.execute_command(*here)
        if redis.dump(KEY) != before:
            went += [] if redis.xlen(stream) > waits else [here]
            redis.delete(KEY)
            wb.set(KEY, {"n": 1})
    assert went == []

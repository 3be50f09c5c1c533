"""A pipeline's writes to one partition are one FCALL, and otherwise what they are one by one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from recipes.streams import (
    CapturingRedis,
    Limits,
    Misconfigured,
    Partitions,
    QueueFull,
    Refused,
    WriteBehind,
)
from recipes.streams.client import parcels
from recipes.streams.client.calls import Call, Written
from tests.recipes.servers import PlainRedis, has_json

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
ONE = Partitions(1)


def fcalls(redis: Redis) -> int:
    found: Any = redis.info("commandstats")
    return int(found["cmdstat_fcall"]["calls"])


def waiting(wb: WriteBehind) -> list[tuple[str, str]]:
    """Key and document of what waits, each partition by itself."""
    entries = [e for p in wb.partitions.all() for _, e in wb.redis.xrange(p.stream)]
    return [(e[b"key"].decode(), e[b"doc"].decode()) for e in entries]


def test_a_pipeline_is_one_call_for_each_partition(redis: Redis) -> None:
    wb = WriteBehind(redis, Partitions(4))
    wb.prepare()
    before = fcalls(redis)
    outcomes = wb.run([wb.call("JSON.SET", f"Movie:{n}", "$", f'{{"n": {n}}}') for n in range(100)])
    assert fcalls(redis) == before + 4
    assert [type(outcome) for outcome in outcomes] == [Written] * 100
    for n in range(100):
        assert wb.get(f"Movie:{n}") == {"n": n}
    waits = {entry for p in wb.partitions.all() for entry, _ in redis.xrange(p.stream)}
    assert {outcome.stream_id.encode() for outcome in outcomes} == waits  # type: ignore[union-attr]


def changes(wb: WriteBehind, count: int) -> list[Call]:
    """All kinds of changes of a few keys, many of them refused."""
    die, calls = random.Random(7), []
    for n in range(count):
        key = f"{wb.partitions.namespace}:Movie:{die.randrange(6)}"
        new = f"{wb.partitions.namespace}:Movie:{die.randrange(6)}"
        kinds: list[tuple[Any, ...]] = [
            ("JSON.SET", "$", json.dumps({"n": n, "list": [], "word": "Schindler's"})),
            ("JSON.SET", "$.n", n), ("JSON.SET", "$", "{not json"), ("JSON.SET", "$.a.b", "1"),
            ("JSON.SET", "$", "{}", "NX"), ("JSON.NUMINCRBY", "$.n", 2), ("JSON.NUMINCRBY", "$.word", 1),
            ("JSON.ARRAPPEND", "$.list", n, n), ("JSON.DEL", "$.n"), ("JSON.DEL",), ("DEL",),
            ("JSON.MERGE", "$", '{"new": null, "n": 1}'), ("PEXPIRE", 1_000_000), ("PERSIST",),
            ("SET", "{}"), ("HSET", "a", "b"), ("JSON.STRAPPEND", "$.word", '"ü"'),
        ]  # fmt: skip
        command, *arguments = die.choice(kinds)
        calls.append(wb.call(command, key, *arguments))
        if die.random() < 0.02:
            calls.append(wb.call("RENAME", key))
            calls[-1].other = (new, wb.partitions.of(new))
        elif die.random() < 0.03:
            calls.append(wb.call("JSON.SET", key, "$", "{}", etag="absent"))
    return calls


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("retries", [0, 1])
def test_every_outcome_is_what_it_is_one_by_one(
    redis: Redis, partitions: int, retries: int
) -> None:
    alone, together = (WriteBehind(redis, Partitions(partitions, name)) for name in ("one", "all"))
    outcomes = [alone.run([call])[0] for call in changes(alone, 300)]
    calls, send, left = changes(together, 300), together._send, [retries]

    def lossy(sent: list[parcels.Parcel]) -> list[Any]:
        replies = send(sent)
        left[0] -= 1
        return [ConnectionError("lost")] * len(replies) if left[0] >= 0 else replies

    together._send = lossy  # type: ignore[method-assign]
    bundled = together.run(calls)
    assert len(parcels.packed(calls, together.lanes)) < 150

    def told(outcome: Any) -> Any:
        if isinstance(outcome, Written):
            return bool(outcome.stream_id), outcome.reply
        return type(outcome), str(outcome).replace("all:", "one:")

    assert [told(outcome) for outcome in bundled] == [told(outcome) for outcome in outcomes]
    assert {Refused, Written} <= {type(outcome) for outcome in outcomes}

    def by_key(wb: WriteBehind) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, doc in waiting(wb):
            found.setdefault(key.partition(":")[2], []).append(doc)
        return found

    assert by_key(together) == by_key(alone)
    sizes = [
        sum(int(redis.hget(p.state, "bytes") or 0) for p in wb.partitions.all())
        for wb in (alone, together)
    ]
    assert sizes[0] == sizes[1]


def test_what_finds_no_room_is_told_for_each_and_nothing_of_it_is_there(redis: Redis) -> None:
    wb = WriteBehind(redis, ONE, Limits(entries=3, wait=0))
    outcomes = wb.run([wb._set(f"Movie:{n}", {"n": n}, "") for n in range(5)])
    assert [type(outcome) for outcome in outcomes] == [Written] * 3 + [QueueFull] * 2
    assert [key for key, _ in waiting(wb)] == ["Movie:0", "Movie:1", "Movie:2"]
    assert redis.exists("Movie:3", "Movie:4") == 0
    small = WriteBehind(redis, Partitions(1, "bytes"), Limits(bytes=3000, wait=0))
    outcomes = small.run([small._set(f"Movie:{n}", {"t": "x" * 1000}, "") for n in range(5)])
    assert [type(outcome) for outcome in outcomes] == [Written] * 2 + [QueueFull] * 3


@pytest.mark.parametrize("seed", range(6))
def test_room_and_lost_replies_come_as_they_like_and_each_change_applies_once_in_order(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Small bundles, a queue that is emptied at any moment, replies that get lost after the write."""
    die = random.Random(seed)
    monkeypatch.setattr(parcels, "MOST_CALLS", die.choice([1, 2, 5, 200]))
    wb = WriteBehind(redis, Partitions(2), Limits(entries=4, wait=60, longest_backoff=0.01))
    seen: dict[str, list[int]] = {}

    def drain() -> None:
        for partition in wb.partitions.all():
            for entry, fields in redis.xrange(partition.stream):
                seen.setdefault(fields[b"key"].decode(), []).append(json.loads(fields[b"doc"])["n"])
                redis.xdel(partition.stream, entry)

    def faulty(sent: list[parcels.Parcel]) -> list[Any]:
        replies: list[Any] = []
        for parcel in sent:
            if die.random() < 0.4:
                drain()
            if replies and isinstance(replies[-1], ConnectionError) and die.random() < 0.3:
                replies.append(ConnectionError("never sent"))
                continue
            [reply] = send([parcel])
            lost = die.random() < 0.3
            replies.append(ConnectionError("lost") if lost else reply)
        drain()
        return replies

    keys = [f"Movie:{n}" for n in range(4)]
    wb.run([wb._set(key, {"n": 0}, "") for key in keys[:2]])
    drain()
    wb.run([wb._set(key, {"n": 0}, "") for key in keys[2:]])
    send, wb._send = wb._send, faulty  # type: ignore[method-assign]
    calls = [wb.call("JSON.NUMINCRBY", die.choice(keys), "$.n", 1) for _ in range(60)]
    outcomes = wb.run(calls)
    drain()
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    for key in keys:
        count = sum(call.key == key for call in calls)
        mine = [o for c, o in zip(calls, outcomes, strict=True) if c.key == key]
        assert [json.loads(o.reply) for o in mine] == [[n + 1] for n in range(count)]  # type: ignore[union-attr]
        assert seen[key] == list(range(count + 1))


def test_a_key_that_this_user_may_not_write_refuses_no_other(
    redis: Redis, redis_server: PlainRedis
) -> None:
    WriteBehind(redis, ONE).prepare()
    redis.execute_command("ACL", "SETUSER", "clerk", "on", ">secret", "~Movie:*", "~wb:*", "+@all")
    clerk = redis_server.client(username="clerk", password="secret")
    try:
        wb = WriteBehind(clerk, ONE)
        keys = ["Movie:1", "Secret:1", "Movie:2"]
        outcomes = wb.run([wb._set(key, {}, "") for key in keys])
    finally:
        redis.execute_command("ACL", "DELUSER", "clerk")
    assert [type(outcome) for outcome in outcomes] == [Written, Misconfigured, Written], outcomes
    assert [key for key, _ in waiting(WriteBehind(redis, ONE))] == ["Movie:1", "Movie:2"]


@pytest.mark.parametrize("transaction", [True, False])
def test_a_read_in_a_capturing_pipeline_sees_what_stands_before_it_and_no_more(
    redis: Redis, redis_server: PlainRedis, transaction: bool
) -> None:
    client = CapturingRedis.from_url(redis_server.url, prefixes=["Movie:"], partitions=ONE)
    pipe = client.pipeline(transaction=transaction)
    for n in range(3):
        pipe.execute_command("JSON.SET", "Movie:1", "$", json.dumps({"n": n}))
        pipe.execute_command("JSON.SET", "Movie:2", "$", json.dumps({"n": n}))
        pipe.execute_command("JSON.GET", "Movie:1", "$.n")
    pipe.delete("Movie:2", "Other:1")
    replies = pipe.execute()
    assert [json.loads(reply) for reply in replies[2:9:3]] == [[0], [1], [2]]
    assert replies[9] == 1
    assert len(redis.xrange("wb:{p00}")) == 7

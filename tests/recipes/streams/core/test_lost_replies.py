"""A call whose reply is lost is tried again, and applied once: lanes."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError, ResponseError

from recipes.streams import (
    Limits,
    Partitions,
    WriteBehind,
)
from recipes.streams.client import parcels
from tests.recipes.streams.working import QUICK
from tests.recipes.streams.writing import KEY, entries, needs_json


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

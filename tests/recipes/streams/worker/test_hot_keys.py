"""One document that changes all the time, and partitions whose database is slow."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from contextlib import suppress

import psutil
import pytest
from redis import Redis

from recipes.streams import (
    Change,
    Limits,
    Partitions,
    Rejected,
    Settings,
    Sink,
    Worker,
    WriteBehind,
)
from recipes.streams.core.names import CONSUMER, GROUP
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer, PlainRedis, wait_for
from tests.recipes.streams.working import Around, running
from tests.recipes.streams.writing import KEY, letters

NO_LIMITS = Limits(entries=10_000_000, bytes=1 << 40)


def change_often(wb: WriteBehind, times: int) -> None:
    """Changes of one document, all of which wait."""
    for start in range(0, times, 1000):
        wb.run([wb._set(KEY, {"n": n, "text": "x" * 200}, "") for n in range(start, start + 1000)])
    assert wb.redis.xlen(wb.partitions.of(KEY).stream) == times


def figure(page: str, name: str) -> float:
    """One of the worker's metrics."""
    lines = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_thousand_changes_of_one_document_take_few_writes_and_no_more_memory(
    redis: Redis, redis_server: PlainRedis, mongo: Sink, mongo_server: MongoServer
) -> None:
    wb = WriteBehind(redis, Partitions(1), NO_LIMITS)

    def drain(times: int) -> int:
        """Bytes that a worker of its own has at most, while it drains so many changes."""
        change_often(wb, times)
        [port] = free_ports(1)
        words = [sys.executable, "-m", "recipes.streams", "worker", "--redis", redis_server.url]
        words += ["--database", f"{mongo_server.url}/test", "--route", "Movie:=movies"]
        words += ["--partitions", "1", "--metrics-port", str(port)]
        process = subprocess.Popen(words, env=dict(os.environ), stderr=subprocess.DEVNULL)
        seen = [0]

        def over() -> bool:
            seen.append(psutil.Process(process.pid).memory_info().rss)
            with suppress(OSError):  # it begins
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
                if figure(page, "writebehind_entries_total") == times:
                    assert figure(page, "writebehind_documents_total") <= times / 1000
                    return True
            return False

        try:
            wait_for(over, 400, f"{times} changes to be drained")
        finally:
            process.terminate()
            process.wait(60)
        stored = mongo.read(KEY)
        assert stored is not None
        assert stored.document["n"] == times - 1
        return max(seen)

    little, much = drain(10_000), drain(100_000)
    assert much < 1.1 * little, f"{little >> 20} MB, then {much >> 20} MB"
    assert letters(wb) == []
    assert redis.hget(wb.partitions[0].state, "bytes") == b"0"


class OneByOne(Around):
    """A slow database: a write takes until it is told to go on. Keeps whose writes it has begun."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self.go = threading.Semaphore(0)
        self.begun: list[str] = []

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        self.begun.append(changes[0].key)
        assert self.go.acquire(timeout=60)
        return self.sink.write(changes)


def test_slow_partitions_that_have_all_writers_let_another_one_have_its_turn(
    redis: Redis, redis_server: PlainRedis, mongo: Sink
) -> None:
    partitions = Partitions(3)
    wb, slow = WriteBehind(redis, partitions), OneByOne(mongo)
    settings = Settings(partitions, batch_entries=1, batch_wait=0.0, writers=2, coalesce=False)
    third = partitions.key("Movie", "third")
    others = [
        next(key for n in range(99) if partitions.of(key := f"Movie:{n}") == at)
        for at in partitions.all()
        if at != partitions.of(third)
    ]
    for key in others:
        wb.run([wb._set(key, {"n": n}, "") for n in range(200)])
    with running(Worker(redis_server.client(), slow, settings)):
        try:
            wait_for(lambda: set(slow.begun) == set(others), 60, "both slow ones to write")
            wb.set(third, {"n": 1})
            at = partitions.of(third)
            wait_for(lambda: has_read(redis, at.stream), 60, "the third to have read")
            for turn in range(1, 20):
                if third in slow.begun:
                    break
                slow.go.release()
                wait_for(lambda turn=turn: len(slow.begun) == 2 + turn, 60, "the next write")
            assert slow.begun.index(third) <= 6, slow.begun
        finally:
            slow.go.release(10_000)


def has_read(redis: Redis, stream: str) -> bool:
    return bool(redis.xpending_range(stream, GROUP, "-", "+", 1, CONSUMER))

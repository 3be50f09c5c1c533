"""A worker on a machine whose clock is wrong, and signals that come at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError
from redis.retry import Retry

from recipes.streams import Metrics, Sink, WriteBehind
from recipes.streams.databases.sink import ANSWERS_WITHIN
from recipes.streams.verbs import looking
from recipes.streams.verbs.places import connect
from tests.histories.world.redisserver import RedisServer
from tests.recipes.servers import wait_for
from tests.recipes.streams.working import Start
from tests.recipes.streams.writing import KEY, drained
from tests.wallclock import needs_steppable_clocks


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_an_hour_off_shows_in_no_figure_and_no_lease(
    wb: WriteBehind,
    mongo: Sink,
    start_worker: Start,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600 * hours)
    wb.set(KEY, {"n": 1})
    [waits] = (one for one in looking.status(wb) if one.entries)
    assert 0 <= waits.oldest < 60
    metrics = Metrics()
    start_worker(mongo, metrics=metrics)
    drained(wb)

    def seen(name: str) -> float:
        found = metrics.registry.get_sample_value(name, {"partition": wb.partitions.of(KEY).tag})
        return -1.0 if found is None else found

    assert 0 < seen("writebehind_lag_seconds_sum") < 60
    assert 0 <= seen("writebehind_oldest_seconds") < 60
    assert all(0 < wb.redis.pttl(at.lease) <= 3000 for at in wb.partitions.all())


SIGNALLED = """
import os, random, signal, threading
from recipes.streams.worker.signals import stops_on_signals

for _ in range(100):
    stop = threading.Event()
    with stops_on_signals(stop.set):
        kill = threading.Timer(random.random() / 500, os.kill, (os.getpid(), signal.SIGTERM))
        kill.start()
        while not stop.wait(1e-6):
            pass
        kill.join()
"""


def test_a_signal_that_comes_at_any_moment_ends_a_worker() -> None:
    """An event that a signal's handler sets itself stands still with the thread that waits for it."""
    subprocess.run([sys.executable, "-c", SIGNALLED], check=True, timeout=60)


def test_a_read_that_blocks_ends_though_rediss_clock_was_set_back(tmp_path: Path) -> None:
    """Redis ends it by its wall clock: an hour later. What is to be tried again would wait for as long."""
    needs_steppable_clocks()
    server = RedisServer(tmp_path)
    server.start()
    assert server.clock is not None
    stream, words = "s", ("GROUP", "g", "c", "BLOCK", 1000, "STREAMS", "s", ">")
    try:
        told: Any = connect(server.url)
        assert told.connection_pool.connection_kwargs["socket_timeout"] == ANSWERS_WITHIN
        worker: Any = connect(f"{server.url}?socket_timeout=3")
        worker.set_retry(Retry(NoBackoff(), 0))
        worker.xgroup_create(stream, "g", mkstream=True)
        with ThreadPoolExecutor() as one:
            reading = one.submit(worker.execute_command, "XREADGROUP", *words)
            wait_for(lambda: server.client().info("clients")["blocked_clients"], 30, "it to block")
            server.clock.step(-3600)
            assert isinstance(reading.exception(60), TimeoutError | None)
        entry = worker.xadd(stream, {"n": 1})
        [[_, [[read, _]]]] = worker.execute_command("XREADGROUP", *words)
        assert read == entry
    finally:
        server.stop(signal.SIGKILL)

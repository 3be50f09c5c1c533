"""A worker on a machine whose clock is wrong, and signals that come at any moment."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from recipes.streams import Metrics, Sink, WriteBehind
from recipes.streams.verbs import looking
from tests.recipes.streams.working import Start
from tests.recipes.streams.writing import KEY, drained


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

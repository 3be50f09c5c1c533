"""A reader's process that is killed, and one that has a long backlog."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.minigears.realredis import wait_for

WORKER = Path(__file__).parent / "worker.py"
GROUP = "__gears_consumer_group__"


@pytest.fixture
def start_worker(redis_server) -> Iterator[Callable[..., subprocess.Popen]]:
    workers = []

    def start(*args: int) -> subprocess.Popen:
        command = [sys.executable, WORKER, redis_server.socket, *map(str, args)]
        workers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()
        worker.stdout.close()


@pytest.mark.parametrize("killed_at", [0, 9, 15, 20])
def test_a_kill_in_mid_batch_loses_nothing(start_worker, stream, killed_at):
    ids = stream.add(25)
    worker = start_worker(10, 25, killed_at)
    assert worker.stdout.readline() == "in the middle\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    rest = 25 - killed_at // 10 * 10
    assert start_worker(10, rest).wait(60) == 0
    done = Counter(name.decode() for name in stream.conn.call("LRANGE", "done", "0", "-1"))
    assert set(done) == set(ids)
    assert sum(done.values()) - len(ids) == killed_at % 10  # what ran before the kill runs again
    assert (stream.length(), stream.pending()) == (0, 0)


def _deliver(conn, key: str, count: int) -> None:
    """Add entries and have them delivered, so that all are pending."""
    chunk = 10_000
    conn.call("XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM")
    read = ("XREADGROUP", "GROUP", GROUP, "__gears_client__", "COUNT", chunk, "STREAMS", key, ">")
    for _ in range(count // chunk):
        conn.pipeline([("XADD", key, "*", "movie", "a title of some length")] * chunk)
        conn.call(*read)


@pytest.mark.parametrize(
    "count", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["short", "million"]
)
def test_memory_stays_flat_with_a_long_backlog(start_worker, stream, count):
    _deliver(stream.conn, "s:1", count)
    assert stream.pending() == count
    worker = start_worker(1000, count)
    output, _ = worker.communicate(timeout=150)
    assert worker.returncode == 0
    assert int(output.split()[-1]) < 8 * 1024
    assert (stream.length(), stream.pending()) == (0, 0)
    assert stream.conn.call("LLEN", "done") == count


def test_waiting_costs_nothing(start_reader, stream):
    """While a batch waits for its time, Redis is not asked again and again."""
    reader = start_reader(batch=100, duration=500)
    stream.add(1, reader)
    wait_for(lambda: reader.steps.batches)
    stats = stream.conn.call("INFO", "commandstats").decode()
    assert _calls(stats, "xinfo|groups") <= 2
    assert _calls(stats, "xreadgroup") <= 3
    assert _calls(stats, "scan") == 1


def _calls(stats: str, command: str) -> int:
    [line] = [line for line in stats.splitlines() if line.startswith(f"cmdstat_{command}:")]
    return int(line.split("calls=")[1].split(",")[0])

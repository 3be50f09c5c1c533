"""Queues are bounded: who writes faster than functions run has to wait, and nobody else."""

import threading

import psutil
import pytest

from minigears.door.events.delivery import LIMIT, Delivery
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

SLOW = """
import time
def wait_for_go(x):
    while not execute('EXISTS', 'go'):
        time.sleep(0.05)
    execute('INCR', 'done')
GB('KeysReader').foreach(wait_for_go).register(prefix='slow:*', mode='async', readValue=False)
"""
QUICK = "GB('KeysReader').foreach(lambda x: execute('INCR', 'quick'))" \
    ".register(prefix='quick:*', mode='sync')"  # fmt: skip
SLACK = 10_000  # what one client had sent, a megabyte, before it was stopped
MEMORY = 96 << 20  # bytes that the door and the executor may grow by


def test_room_is_told_when_every_registration_asked_about_has_some():
    delivery = Delivery(limit=2)
    events = [delivery.add(name, b"k", "set", False) for name in "aabb"]
    assert delivery.crowded == {"a", "b"}
    told = []
    delivery.when_room(["a", "b"], lambda: told.append("both"))
    delivery.when_room(["c"], lambda: told.append("other"))
    delivery.done([events[0].seq])
    assert told == ["other"]
    delivery.done([event.seq for event in events if event.registration == "b"])
    assert told == ["other", "both"]
    assert not delivery.crowded


class Replies(threading.Thread):
    """Sends writes without waiting, and counts what is acknowledged."""

    def __init__(self, gears: MiniGears, writes: int):
        super().__init__(daemon=True)
        self._gears = gears
        self._writes = writes
        self.count = 0
        self.start()

    def run(self) -> None:
        with self._gears.raw() as sock, sock.makefile("rb") as stream:
            sock.settimeout(None)
            data = b"".join(b"SET slow:%d %0100d\r\n" % (i, i) for i in range(self._writes))
            threading.Thread(target=sock.sendall, args=(data,), daemon=True).start()
            for _ in range(self._writes):
                assert stream.readline() == b"+OK\r\n"
                self.count += 1


def memory(gears: MiniGears) -> int:
    """Bytes that the door and the executor hold."""
    processes = (psutil.Process(gears.process.pid), gears.executor)
    return sum(process.memory_info().rss for process in processes)


@pytest.mark.parametrize(
    "writes",
    [30_000, pytest.param(200_000, marks=[pytest.mark.long, pytest.mark.timeout(600)])],
)
def test_writers_wait_for_slow_functions(gears, writes):
    gears.run(SLOW)
    gears.run(QUICK)
    before = memory(gears)
    replies = Replies(gears, writes)
    with gears.client() as client:
        wait_for(lambda: client.info("minigears")["minigears_events_outstanding"] >= LIMIT)
        for i in range(100):  # others do not notice
            client.set(f"quick:{i}", i)
            client.set(f"other:{i}", i)
        assert client.get("quick") == "100"
        outstanding = client.info("minigears")["minigears_events_outstanding"]
        assert outstanding < LIMIT + SLACK
        assert replies.count < LIMIT + SLACK
        assert memory(gears) < before + MEMORY
        client.set("go", 1)
        wait_for(lambda: replies.count == writes, 500, "all replies")
        wait_for(lambda: client.get("done") == str(writes), 60, "all functions")
        assert client.info("minigears")["minigears_events_outstanding"] == 0
    assert memory(gears) < before + MEMORY

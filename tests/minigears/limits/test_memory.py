"""Memory of the two processes stays flat, however much is waiting."""

from __future__ import annotations

import psutil
import pytest

from minigears.executor.streams.group import CONSUMER, GROUP
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

GROWTH = 32 << 20  # bytes; a million entries or 100,000 events would be more than 100 MB

STREAM = """
def f(n):
    while not execute('EXISTS', 'go'): pass
    execute('INCRBY', 'done', n)
GB('StreamReader').count().foreach(f) \\
    .register(prefix='s', batch=1000, onFailedPolicy='retry', trimStream=True)
"""
MANY = """
def listen(first, last):
    for n in range(first, last):
        GB('KeysReader').foreach(lambda x: execute('INCR', 'n')) \\
            .register(prefix='k:%d:*' % n, mode='sync', readValue=False)
listen({first}, {last})
"""


def memory(gears: MiniGears) -> int:
    """Bytes that the door and the executor hold."""
    assert gears.process is not None
    assert gears.executor is not None
    processes = (psutil.Process(gears.process.pid), gears.executor)
    return sum(process.memory_info().rss for process in processes)


@pytest.mark.parametrize(
    "entries",
    [20_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
)
def test_pending_entries_of_a_stream(own: MiniGears, entries: int) -> None:
    """Those that were read and not acknowledged before it started, and those that came since."""
    with own.client() as client:
        client.xgroup_create("s", GROUP, "0", mkstream=True)
        add(client, entries // 2)
        deliver(client)
        own.run(STREAM)
        client.xadd("s", {"movie": "first"})
        before = memory(own)
        add(client, entries - entries // 2 - 1)
        assert client.xlen("s") == entries
        assert memory(own) < before + GROWTH
        client.set("go", 1)
        wait_for(lambda: client.get("done") == str(entries), 600, "all entries")
        wait_for(lambda: client.xlen("s") == 0, what="an empty stream")
        assert memory(own) < before + GROWTH


def add(client, entries: int) -> None:
    for start in range(0, entries, 10_000):
        pipe = client.pipeline(transaction=False)
        for _ in range(min(10_000, entries - start)):
            pipe.xadd("s", {"movie": "a title of some length"})
        pipe.execute()


def deliver(client) -> None:
    """Hand all entries to a consumer, as a minigears that was killed then."""
    words = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", 10_000)
    while client.execute_command(*words, "STREAMS", "s", ">"):
        pass


@pytest.mark.parametrize(
    ("registrations", "events"),
    [
        (200, 5_000),
        pytest.param(10_000, 100_000, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
def test_events_of_many_registrations(own: MiniGears, registrations: int, events: int) -> None:
    for first in range(0, registrations, 100):
        own.run(MANY.format(first=first, last=first + 100))
    with own.client() as client:
        write(client, registrations, events // 5)  # each execution log is filled to its limit
        before = memory(own)
        write(client, registrations, events)
        assert int(client.get("n")) == events + events // 5
        assert client.info("minigears")["minigears_events_outstanding"] == 0
        assert memory(own) < before + GROWTH


def write(client, registrations: int, events: int) -> None:
    for start in range(0, events, 1000):
        pipe = client.pipeline(transaction=False)
        for n in range(start, start + min(1000, events - start)):
            pipe.set(f"k:{n % registrations}:{n}", n)
        pipe.execute()

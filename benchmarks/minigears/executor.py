"""What the executor's own code takes for an event, without the kernel: sockets that answer at once.

    python -m benchmarks.minigears.executor [--rounds 2000] [--profile]

Microseconds of the quickest round, which other work on the machine does not change, and what Python's collector
takes beside it, for a `sync` function that does nothing and for those of unmodified rgsync; and what rgsync's functions
take by themselves, when `execute` returns at once. To compare with another checkout, put its `src` into PYTHONPATH.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click
import hiredis

from benchmarks.minigears.processor import RECIPE, REQUIREMENTS, SYNC
from minigears.executor import commands
from minigears.executor.events import Events
from minigears.executor.gears import Gears
from minigears.executor.process import prepare
from minigears.executor.runs.run import run_batch
from minigears.link import Link, encode
from tests.ending import end_in_order
from tests.minigears.realredis import RedisServer

SIZES = (1, 20, 50)
"""Events that arrive together."""
DOCUMENT = b'{"text":"%b"}' % (b"x" * 1000)
_REPLIES = {
    b"TYPE": b"+ReJSON-RL\r\n",
    b"EXISTS": b":1\r\n",
    b"JSON.GET": b"$%d\r\n%b\r\n" % (len(DOCUMENT), DOCUMENT),
    b"XADD": b"$15\r\n1700000000000-0\r\n",
}


class Socket:
    """Answers what is sent, or hands out what it was given; the time that this takes does not count."""

    def __init__(self) -> None:
        self.incoming = b""
        self.sent: list[bytes] = []
        self.spent = 0.0
        self.answers: Callable[[bytes], bytes] | None = None
        self._known: dict[bytes, bytes] = {}

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def sendall(self, data: bytes) -> None:
        """Keep it, or find the answer."""
        started = time.perf_counter()
        if self.answers is None:
            self.sent.append(data)
        else:
            if data not in self._known:
                self._known[data] = self.answers(data)
            self.incoming += self._known[data]
        self.spent += time.perf_counter() - started

    def recv(self, size: int, flags: int = 0) -> bytes:
        """All that is there."""
        data, self.incoming = self.incoming, b""
        return data


def _answers(data: bytes) -> bytes:
    """What Redis says to these commands."""
    reader, said = hiredis.Reader(), b""
    reader.feed(data)
    while (argv := reader.gets()) is not False:
        said += _REPLIES[argv[0].upper()]
    return said


@contextmanager
def _collecting() -> Iterator[list[float]]:
    """Seconds that Python's collector takes inside the block."""
    spent: list[float] = []

    def note(phase: str, info: object) -> None:
        now = time.perf_counter()
        if phase == "start":
            spent.append(-now)
        else:
            spent[-1] += now

    gc.callbacks.append(note)
    try:
        yield spent
    finally:
        gc.callbacks.remove(note)


class Bench:
    """An executor in this process, whose events and replies come from us."""

    def __init__(self, server: RedisServer, cache: Path):
        self._gears = Gears(server.address, cache, run_batch)
        self._door, self._redis = Socket(), Socket()
        self._link = Link(cast(Any, self._door))
        self._events = Events(self._gears, self._link)
        prepare(self._gears)
        self._redis.answers = _answers

    def command(self, *words: str) -> Any:
        """Run an `RG.*` command."""
        reply = commands.call(self._gears, [word.encode() for word in words], False)
        return reply.result(120) if isinstance(reply, Future) else reply

    def registration(self) -> Any:
        """That of the KeysReader."""
        (registration,) = (r for r in self._gears.registry if r.spec.reader == "KeysReader")
        return registration

    def clear(self) -> None:
        """Take all registrations out."""
        for registration in list(self._gears.registry):
            self.command("RG.UNREGISTER", registration.id)

    def report(self, what: str, rounds: int) -> None:
        """Print what events of the registration take."""
        for size in SIZES:
            with _collecting() as spent:
                quickest = self.events(size, rounds)
            collector = sum(spent) / (rounds * size) * 1e6
            print(f"{what}, {size} together: {quickest:.2f} µs; the collector {collector:.2f} µs")

    def events(self, size: int, rounds: int) -> float:
        """So many events arrive together; microseconds for each."""
        registration = self.registration().id
        told = b"ReJSON-RL" if size == 1 else b""
        events = [(n, registration, b"MovieEntity:%d" % n, "json.set", told) for n in range(size)]
        frame = encode(("events", events))
        connection = cast(Any, self._gears.hub)._connection
        kept, connection._sock = connection._sock, self._redis
        best = float("inf")
        try:
            for _ in range(rounds):
                self._door.incoming, self._redis.spent = frame, 0.0
                started = time.perf_counter()
                self._turn()
                best = min(best, time.perf_counter() - started - self._redis.spent)
        finally:
            connection._sock = kept
        return best / size * 1e6

    def _turn(self) -> None:
        """What `Events.serve` does when frames have come, until all is done."""
        hub = self._gears.hub
        for frame in self._link.receive_available():
            self._events._take(frame)
        while hub.busy:
            hub.round()
        self._events._tell_done()

    def functions_alone(self, rounds: int) -> float:
        """rgsync's functions with an `execute` that returns at once; microseconds for an event."""
        functions = [step.functions[0] for step in self.registration().steps if step.functions]
        called = functions[0].__globals__
        kept, values = called["execute"], {w.decode().lower(): v for w, v in _VALUES.items()}
        called["execute"] = lambda *words: values[words[0].lower()]
        best = float("inf")
        try:
            for _ in range(rounds):
                record = {
                    "event": "json.set",
                    "key": "MovieEntity:1",
                    "type": "module",
                    "value": None,
                }
                started = time.perf_counter()
                for function in functions:
                    function(record)
                best = min(best, time.perf_counter() - started)
        finally:
            called["execute"] = kept
        return best * 1e6


_VALUES = {b"EXISTS": 1, b"JSON.GET": DOCUMENT.decode(), b"XADD": "1700000000000-0"}


@click.command()
@click.option("--rounds", default=2000, show_default=True)
@click.option(
    "--profile", is_flag=True, help="Where the time goes in rgsync's events, 50 at a time."
)
def main(rounds: int, profile: bool) -> None:
    """Time events of a `sync` function that does nothing, and of rgsync."""
    end_in_order()
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), "--save", "")
        server.start()
        try:
            bench = Bench(server, Path(folder) / "cache")
            bench.command("RG.PYEXECUTE", SYNC)
            bench.report("does nothing", rounds)
            bench.clear()
            bench.command("RG.CONFIGSET", "mongoUrl", "mongodb://127.0.0.1:1")
            bench.command("RG.PYEXECUTE", RECIPE, *REQUIREMENTS)
            bench.report("rgsync", rounds)
            print(f"rgsync's functions alone: {bench.functions_alone(rounds):.2f} µs")
            if profile:
                profiler = cProfile.Profile()
                profiler.runcall(bench.events, SIZES[-1], 200)
                pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

"""The processes of a run and the lines between them, each with what may be done to it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tests.histories.world.proxy import Mood, Proxy
from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import wait_for
from tests.wallclock import WallClock, steppable


class Part(Protocol):
    """A process that can be started again after it has died."""

    def start(self) -> None:
        """Start it, and wait until it answers where that can be asked."""

    def stop(self, how: int) -> None:
        """Send a signal and wait for its end. Does nothing when it does not run."""


class Program:
    """A process of a recipe: a worker, for example. Its output goes to a file."""

    def __init__(self, words: Sequence[str], log: Path, clock: WallClock | None = None):
        self._words, self._log, self.clock = list(words), log, clock
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it says by itself when it is ready, in what it does."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._words,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment_with(self.clock),
            )

    def stop(self, how: int) -> None:
        """See `Part`. One that does not end in order is killed."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Database(MongoServer):
    """SecantusDB. Asked to end while clients are connected, it may wait for them: it is given 3 s."""

    config = "[oplog]\nretention_seconds = 1e9\n"
    """By its clock; what a step makes it forget the judge would not see."""

    def __init__(self, folder: Path, port: int):
        super().__init__(folder, port)
        self.clock = clock_in(folder, "database")
        self.environment = environment_with(self.clock)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """See `Part`."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def pid(part: Part) -> int | None:
    """The number of a part's process, None while there is none."""
    process = getattr(part, "process", None)
    if process is None or process.poll() is not None:
        return None
    number: int = process.pid
    return number


def clock_in(folder: Path, name: str) -> WallClock | None:
    """A clock for one part, None where clocks cannot step."""
    return WallClock(folder, name) if steppable() else None


def environment_with(clock: WallClock | None) -> dict[str, str] | None:
    """What a process with this clock is started with; None for ours."""
    return clock.environment if clock else None


def clock_of(part: object) -> WallClock | None:
    """The wall clock of a part, None for one that has the machine's."""
    clock: WallClock | None = getattr(part, "clock", None)
    return clock


def freeze(part: Part) -> int | None:
    """SIGSTOP: it neither answers nor ends its connections. Returns whom `thaw` has to wake."""
    if (number := pid(part)) is None:
        return None
    os.kill(number, signal.SIGSTOP)
    state = Path(f"/proc/{number}/stat")
    wait_for(lambda: state.read_text().rpartition(")")[2].split()[0] in "TtZX", what="SIGSTOP")
    return number


def thaw(number: int | None) -> None:
    """SIGCONT, to the process that was frozen: its part may have lost it since, as a killed door its executor."""
    if number is not None:
        with suppress(ProcessLookupError):  # it was killed meanwhile
            os.kill(number, signal.SIGCONT)


class World:
    """All parts and lines of a run, by name."""

    def __init__(self, parts: dict[str, Part], lines: dict[str, Proxy]):
        self.parts, self.lines = parts, lines

    def calm(self) -> None:
        """End every fault: all lines pass, all parts run."""
        for line in self.lines.values():
            line.be(Mood.PASSING)
        for part in self.parts.values():
            if (clock := clock_of(part)) is not None:
                clock.step(0)
            thaw(pid(part))
            if pid(part) is None:
                part.stop(signal.SIGKILL)
                part.start()

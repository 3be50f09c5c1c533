"""Redis as a part, and what can be done to its disk and its data besides ending it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.stack.appendonly import cut_off_half_a_transaction
from tests.histories.world.faults import Deed
from tests.histories.world.parts import clock_in, pid
from tests.minigears.realredis import redis_program
from tests.recipes.servers import PlainRedis, heedless_of_limits, limit_files, wait_for

_NO_ROOM = "16"
"""Bytes: whatever is written to a file fails."""

_STAMP = re.compile(rb"#TS:(\d+)\r\n")


WINDOWS = {"always": 0.0, "everysec": 2.0}
"""Seconds of acknowledged writes that Redis may lose, by its `appendfsync`: with `everysec` it answers
first while the disk is busy, and writes up to two seconds later."""


class RedisServer(PlainRedis):
    """A redis-server with an append-only file. One that may lose something has it taken, too."""

    def __init__(self, folder: Path, fsync: str = "always"):
        options = ["--save", "", "--appendonly", "yes", "--appendfsync", fsync]
        options += ["--aof-timestamp-enabled", "yes", "--auto-aof-rewrite-percentage", "0"]
        self.clock = clock_in(folder, "redis")
        variables = self.clock.variables if self.clock else {}
        super().__init__(folder, *options, program=heedless_of_limits(folder, variables))
        self.deeds: Mapping[Deed, Callable[..., None]] = {Deed.FULL: self.full_disk}
        if WINDOWS[fsync]:
            self.deeds = {**self.deeds, Deed.POWER: self.power_cut, Deed.FLUSH: self.flush}
            if self.clock:
                self.deeds = {**self.deeds, Deed.BEHIND: self.power_cut}
        self._kept = 0  # bytes of the file that no power cut takes any more

    def start(self) -> None:
        """See `Part`. What a power cut has left of a transaction goes first, as docs/recipes.md asks for."""
        cut_off_half_a_transaction(self.directory, redis_program())
        super().start()
        self._kept = self.file.stat().st_size

    def full_disk(self, seconds: float) -> None:
        """Let no file grow for so many seconds."""
        with self.without_room():
            time.sleep(seconds)

    @contextmanager
    def without_room(self) -> Iterator[None]:
        """Let no file grow meanwhile. With `always` Redis ends at its next write, and is started again."""
        number = pid(self)
        try:
            if number is not None:
                limit_files(number, _NO_ROOM)
            yield
        finally:
            if number is not None:
                with suppress(subprocess.CalledProcessError):  # it has ended
                    limit_files(number, "unlimited")
            self._start_again()

    def power_cut(self, seconds: float, by: float | None = None) -> None:
        """End it, with half of what it wrote in the last second, torn anywhere; start it after so many seconds.

        Its clock is `by` seconds ahead then (negative: behind), until somebody sets it. It goes back while
        Redis is away only: with `everysec` Redis syncs when its wall clock is a second on, so one that
        goes back as it runs ends its promise until it has caught up.
        """
        second = time.time() + (self.clock.ahead if self.clock else 0) - 1
        self.stop(signal.SIGKILL)
        if self.clock and by is not None:
            self.clock.step(by)
        with self.file.open("rb") as file:
            file.seek(self._kept)
            late = file.read()
        unsafe = (s.start() for s in _STAMP.finditer(late) if int(s[1]) >= second)
        os.truncate(self.file, self._kept + (next(unsafe, len(late)) + len(late)) // 2)
        time.sleep(seconds)
        self.start()

    def flush(self, seconds: float) -> None:
        """Do what a stranger does who takes it for another one."""
        self._start_again()
        with self.client(socket_timeout=30) as redis:
            redis.flushall()
        self._kept = self.file.stat().st_size

    def _start_again(self) -> None:
        # It may be just about to end, which would leave it away for the rest of the run.
        wait_for(
            lambda: pid(self) is None or self.answers(), what="Redis to answer or to have ended"
        )
        if pid(self) is None:
            self.stop(signal.SIGKILL)
            self.start()

    @property
    def file(self) -> Path:
        """What its append-only file grows in."""
        [file] = (self.directory / "appendonlydir").glob("*.incr.aof")
        return file

"""Long-lived loops, watched: one that fails is logged, counted, shown, and started again.

A loop that fails again and again ends the process, with a status that says so: whoever started it
(systemd, the door) starts another. So nothing stands still in silence. Both processes use this:
tasks of asyncio in the door, threads in the executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

EXIT_STATUS = 70
"""Of a process one of whose loops cannot go on (`EX_SOFTWARE` in sysexits.h)."""

_MAX_FAILURES = 5
"""Failures of one loop, each soon after the one before, that end the process."""

_SOON = 60.0  # seconds; a loop that ran so long has recovered
_PAUSE = 0.1  # seconds before the first new start, doubled with each failure that comes soon


def end_process() -> None:
    """End the process at once, as nothing else can be relied on."""
    os._exit(EXIT_STATUS)


@dataclass
class _Record:
    """What is known of one loop."""

    soon: int = 0
    """Failures in a row."""
    last: float = 0.0
    """When it failed last, on the monotonic clock."""


@dataclass
class Loops:
    """The loops of one process. Any thread may use it."""

    give_up: Callable[[], None] = end_process
    """Called when a loop cannot go on; does not return in earnest."""
    pause: float = _PAUSE
    failures: int = 0
    """Failures since the process began, those of single tasks and callbacks among them."""
    last: str = ""
    """The last failure: the loop's name, and the error's type."""
    down: set[str] = field(default_factory=set)
    """Names of loops that have failed and are not started again yet."""

    def __post_init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._lock = threading.Lock()

    def task(self, name: str, body: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Run a loop as a task of the running event loop; over when `body` returns or is cancelled."""
        return asyncio.get_running_loop().create_task(self._keep(name, body), name=name)

    def thread(self, name: str, body: Callable[[], None]) -> threading.Thread:
        """Run a loop in a daemon thread, which is started; over when `body` returns."""
        thread = threading.Thread(target=self.run, args=(name, body), name=name, daemon=True)
        thread.start()
        return thread

    def run(self, name: str, body: Callable[[], None]) -> None:
        """Run a loop in this thread; returns when `body` does."""
        while True:
            try:
                body()
                return
            except BaseException as error:  # SystemExit would end the thread, and nobody would know
                time.sleep(self._failed_loop(name, error))
            self.down.discard(name)

    async def _keep(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await body()
                return
            except Exception as error:
                await asyncio.sleep(self._failed_loop(name, error))
            self.down.discard(name)

    def failed(self, name: str, error: BaseException) -> None:
        """Something failed that was not meant to, and is not started again: log and count it."""
        with contextlib.suppress(Exception):  # without memory, counting is all that is left
            log.error("%s failed: %r", name, error, exc_info=error)
        with self._lock:
            self.failures += 1
        self.last = f"{name}: {type(error).__name__}"

    def unobserved(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log and count what nobody awaits: to be the event loop's exception handler."""
        error = context.get("exception")
        if error is None or isinstance(error, OSError):  # of a socket: its owner is told, too
            loop.default_exception_handler(context)
        else:
            self.failed(str(context.get("message") or "a callback"), error)

    def _failed_loop(self, name: str, error: BaseException) -> float:
        """Take note of a loop's failure; returns the seconds to wait before it starts again."""
        self.down.add(name)
        self.failed(name, error)
        record = self._records.setdefault(name, _Record())
        now = time.monotonic()
        record.soon = record.soon + 1 if now - record.last < _SOON else 1
        record.last = now
        if record.soon >= _MAX_FAILURES:
            with contextlib.suppress(Exception):
                log.critical("%s failed %d times in a row: the process ends", name, record.soon)
            self.give_up()
        return float(self.pause * 2 ** (record.soon - 1))

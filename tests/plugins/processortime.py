"""Processor time of this process and of all that it started, as Linux's /proc tells it.

A server that a test starts is often nobody's child any more when it ends: `lab up` leaves it
running, and no parent waits for it. So `getrusage` does not know of it. Here a process once seen
stays in the family.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """What /proc/PID/stat says; times in clock ticks."""

    parent: int
    start: int
    used: int
    """By itself, and by those children that it has waited for."""


def processes() -> dict[int, Process]:
    """Every process of the machine by its id."""
    found = {}
    for folder in PROC.glob("[1-9]*"):
        with suppress(OSError):  # it ended just now
            # The name before the last bracket may hold spaces and brackets of its own.
            words = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            times = sum(int(word) for word in words[11:15])
            found[int(folder.name)] = Process(int(words[1]), int(words[19]), times)
    return found


class Meter:
    """Counts from when it is made. A process is seen only if it lives while `seconds` looks."""

    def __init__(self) -> None:
        self._family: dict[int, Process] = {}
        self._orphans = 0  # ticks of those that ended while no parent of the family was theirs
        self._before = self._ticks()

    def seconds(self) -> float:
        """Processor time so far, of the living and the ended."""
        return (self._ticks() - self._before) / os.sysconf("SC_CLK_TCK")

    def _ticks(self) -> int:
        now = processes()
        family = {
            pid: now[pid]
            for pid, before in self._family.items()
            if pid in now and now[pid].start == before.start
        }
        family[os.getpid()] = now[os.getpid()]
        for pid, process in sorted(now.items(), key=lambda item: item[1].start):  # parents first
            if process.parent in family:
                family[pid] = process
        for pid, before in self._family.items():
            # Who had a parent of ours is in that parent's time, since it waited.
            if pid not in family and before.parent not in self._family:
                self._orphans += before.used
        self._family = family
        return self._orphans + sum(process.used for process in family.values())


def piece_of_work() -> float:
    """Seconds that a fixed piece of work takes here: the least of a few tries."""
    return min(_try_work() for _ in range(7))


def _try_work() -> float:
    start = time.process_time()
    words: dict[str, int] = {}
    for number in range(60_000):
        word = str(number % 997)
        words[word] = words.get(word, 0) + len(word)
    return time.process_time() - start

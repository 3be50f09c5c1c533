"""An open-loop load generator: arrivals follow a schedule, whatever the answers do.

A closed loop waits for one answer before the next request, so a slow store gets less load and its
pauses are measured once instead of for everyone who would have arrived. Here every latency counts
from the moment at which the request was due.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Phase = tuple[float, float]
"""Seconds, and arrivals per second in them."""

_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LoadResult:
    """What a load saw. All times are seconds since its first scheduled arrival.

    `began` is the wall-clock time (seconds since 1970) of that moment. A failed write has its error
    in `errors`, by position, and no acknowledgement (NaN).
    """

    scheduled: _Numbers
    acknowledged: _Numbers
    errors: dict[int, Exception]
    began: float

    @property
    def latency(self) -> _Numbers:
        """Seconds from scheduled arrival to acknowledgement, of the writes that succeeded."""
        taken = self.acknowledged - self.scheduled
        return taken[~np.isnan(taken)]

    def percentile(self, percent: float) -> float:
        """Return a percentile of the latency in seconds; NaN when no write succeeded."""
        return float(np.percentile(self.latency, percent)) if self.latency.size else float("nan")

    @property
    def p50(self) -> float:
        """The median latency in seconds."""
        return self.percentile(50)

    @property
    def p99(self) -> float:
        """The latency in seconds that one write in a hundred exceeds."""
        return self.percentile(99)

    def arrivals_per_second(self) -> _Numbers:
        """Return how many writes were due in each second."""
        return per_second(self.scheduled)

    def acknowledged_per_second(self) -> _Numbers:
        """Return how many writes were acknowledged in each second."""
        return per_second(self.acknowledged[~np.isnan(self.acknowledged)])

    def __str__(self) -> str:
        done = self.latency.size
        return (
            f"{len(self.scheduled)} writes due, {done} acknowledged, {len(self.errors)} failed; "
            f"latency p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms"
        )

    __repr__ = __str__


def per_second(moments: Sequence[float] | _Numbers, step: float = 1.0) -> _Numbers:
    """Count moments (seconds from a start) by second; or by a shorter `step`, told as so many a second."""
    whole = np.floor(np.asarray(moments, dtype=float) / step).astype(int)
    return np.bincount(whole[whole >= 0]) / step if whole.size else np.zeros(0)


def load(
    write: Callable[[int], Any],
    rate: float | Sequence[Phase],
    seconds: float | None = None,
    *,
    workers: int = 16,
    seed: int = 0,
) -> LoadResult:
    """Call `write(0)`, `write(1)`, … at scheduled moments, from `workers` threads.

    `rate` is arrivals per second for `seconds`, or phases: `[(2, 50), (3, 400), (2, 50)]` is a
    storm of three seconds. Arrivals are random (Poisson) and the same for the same `seed`. A write
    that raises is recorded and does not stop the rest. Returns when all have ended.
    """
    phases = _phases(rate, seconds)
    due = schedule(phases, seed)
    acknowledged = np.full(len(due), np.nan)
    errors: dict[int, Exception] = {}
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    began, start = time.time(), time.perf_counter()

    def work() -> None:
        while (number := waiting.get()) is not None:
            try:
                write(number)
                acknowledged[number] = time.perf_counter() - start
            except Exception as problem:
                errors[number] = problem

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for number, moment in enumerate(due):
            ahead = moment - (time.perf_counter() - start)
            if ahead > 0:
                time.sleep(ahead)
            waiting.put(number)
    finally:
        for _ in threads:
            waiting.put(None)
    for thread in threads:
        thread.join()
    return LoadResult(due, acknowledged, errors, began)


def schedule(phases: Sequence[Phase], seed: int = 0) -> _Numbers:
    """Return random arrival moments in seconds: as many in each phase as its rate says."""
    chance = random.Random(seed)
    moments: list[float] = []
    offset = 0.0
    for length, rate in phases:
        inside = (chance.uniform(0, length) for _ in range(round(length * rate)))
        moments += sorted(offset + moment for moment in inside)
        offset += length
    return np.asarray(moments, dtype=float)


def _phases(rate: float | Sequence[Phase], seconds: float | None) -> Sequence[Phase]:
    if isinstance(rate, (int, float)):
        if seconds is None:
            raise ValueError("a load with one rate needs the seconds it lasts")
        return [(seconds, rate)]
    if seconds is not None:
        raise ValueError("phases have their own seconds")
    return rate

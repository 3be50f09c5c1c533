"""The way of each write from the click to MongoDB: what happened when. Pure; the clock is given.

What is seen of a write may come in any order: a function in Redis adds the entry before the
writer has its answer. So a journey keeps the moment of each thing, and its stage is the furthest.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

_KEPT, _KEPT_LAGS = 2000, 1000


class Stage(Enum):
    """How far a write has come."""

    SENT = "on its way"
    ACKNOWLEDGED = "acknowledged"
    QUEUED = "in the stream"
    PICKED_UP = "picked up"
    COMMITTED = "in MongoDB"
    OVERTAKEN = "overtaken"
    BURIED = "given up"
    FAILED = "failed"

    @property
    def is_last(self) -> bool:
        """True when nothing more will happen to it."""
        return self in (Stage.COMMITTED, Stage.OVERTAKEN, Stage.BURIED, Stage.FAILED)


@dataclass
class Journey:
    """One write. Moments are seconds of one clock; `expected` is None for a deletion."""

    number: int
    viewer: str
    key: str
    what: str
    expected: dict[str, Any] | None
    sent: float
    has_stream: bool
    acknowledged: float | None = None
    entry_id: str = ""
    stream: str = ""
    picked_up: float | None = None
    committed: float | None = None
    end: Stage | None = None
    reason: str = ""

    @property
    def stage(self) -> Stage:
        """The furthest that it has come."""
        if self.end:
            return self.end
        if self.picked_up is not None:
            return Stage.PICKED_UP
        if self.entry_id:
            return Stage.QUEUED
        return Stage.ACKNOWLEDGED if self.acknowledged is not None else Stage.SENT

    @property
    def is_under_way(self) -> bool:
        """True while something more will happen to it."""
        return not self.stage.is_last

    @property
    def answer_ms(self) -> float | None:
        """Milliseconds until the writer had its answer."""
        return None if self.acknowledged is None else (self.acknowledged - self.sent) * 1000

    @property
    def arrival_ms(self) -> float | None:
        """Milliseconds from the click until MongoDB had it."""
        return None if self.committed is None else (self.committed - self.sent) * 1000


@dataclass(frozen=True)
class Lags:
    """How far MongoDB is behind the answers, in milliseconds, over the last writes."""

    count: int
    p50: float | None
    p99: float | None


@dataclass
class Journal:
    """The last journeys, found by key, by viewer and by what is not finished. Safe for threads."""

    _all: deque[Journey] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _by_key: dict[str, list[Journey]] = field(default_factory=dict)  # under way only
    _lags: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_LAGS))
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(
        self,
        viewer: str,
        key: str,
        what: str,
        expected: dict[str, Any] | None,
        now: float,
        *,
        has_stream: bool,
    ) -> Journey:
        """Note that a write is sent."""
        with self._lock:
            one = Journey(next(self._numbers), viewer, key, what, expected, now, has_stream)
            self._all.append(one)
            self._by_key.setdefault(key, []).append(one)
            return one

    def acknowledge(self, one: Journey, now: float) -> None:
        """Note the answer. Where there is no stream it says that MongoDB has the write."""
        with self._lock:
            one.acknowledged = now
            if not one.has_stream:
                self._commit(one, now)
            elif one.committed is not None:  # MongoDB was seen to have it before the answer came
                self._lags.append(max(0.0, one.committed - now) * 1000)

    def fail(self, one: Journey, reason: str) -> None:
        """Note that the writer was told of an error."""
        with self._lock:
            self._close(one, Stage.FAILED, reason)

    def queue(self, key: str, stream: str, entry_id: str) -> None:
        """Note an entry of the stream: it is the oldest write of its key that has none yet."""
        with self._lock:
            for one in self._by_key.get(key, ()):
                if not one.entry_id:
                    one.stream, one.entry_id = stream, entry_id
                    return

    def deliver(self, stream: str, last_id: str, now: float) -> None:
        """Note that every entry of a stream up to this id was given to a worker."""
        with self._lock:
            for one in self.under_way():
                waits = one.stream == stream and one.picked_up is None
                if waits and _order(one.entry_id) <= _order(last_id):
                    one.picked_up = now

    def see(self, key: str, document: dict[str, Any] | None, now: float) -> None:
        """Note what MongoDB holds: the newest write that it equals, and all before, are done."""
        with self._lock:
            waiting = self._by_key.get(key, [])
            for place in range(len(waiting) - 1, -1, -1):
                if waiting[place].has_stream and waiting[place].expected == document:
                    newest, before = waiting[place], waiting[:place]
                    for one in before:
                        if one.has_stream:
                            self._close(one, Stage.OVERTAKEN, "a later write took its place")
                            one.committed = now
                    self._commit(newest, now)
                    return

    def leave(self, one: Journey, now: float, grave: str | None) -> None:
        """Note that an entry has left the stream although MongoDB holds something else."""
        with self._lock:
            if one.is_under_way and grave is not None:
                self._close(one, Stage.BURIED, grave)
            elif one.is_under_way:
                self._close(one, Stage.OVERTAKEN, "a later write took its place")

    def under_way(self) -> list[Journey]:
        """Return the writes that are not finished, oldest first."""
        with self._lock:
            return sorted(
                (o for some in self._by_key.values() for o in some), key=lambda o: o.number
            )

    def of(self, viewer: str, count: int) -> list[Journey]:
        """Return a viewer's last writes, the newest first."""
        with self._lock:
            mine = (one for one in reversed(self._all) if one.viewer == viewer)
            return list(itertools.islice(mine, count))

    def lags(self) -> Lags:
        """Return how far MongoDB was behind the answers, over the last writes."""
        with self._lock:
            found = sorted(self._lags)
        return Lags(len(found), percentile(found, 0.5), percentile(found, 0.99))

    def _commit(self, one: Journey, now: float) -> None:
        one.committed = now
        if one.acknowledged is not None:
            self._lags.append(max(0.0, now - one.acknowledged) * 1000)
        self._close(one, Stage.COMMITTED, "")

    def _close(self, one: Journey, end: Stage, reason: str) -> None:
        one.end, one.reason = end, reason
        left = [other for other in self._by_key.get(one.key, ()) if other is not one]
        if left:
            self._by_key[one.key] = left
        else:
            self._by_key.pop(one.key, None)


def percentile(ordered: list[float], share: float) -> float | None:
    """Return the value below which a share of an ordered list lies; None of an empty one."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def keys_of(journeys: Iterable[Journey]) -> list[str]:
    """Return the keys of some journeys, each once."""
    return list(dict.fromkeys(one.key for one in journeys))


def _order(entry_id: str) -> tuple[int, int]:
    moment, _, number = entry_id.partition("-")
    return int(moment), int(number or 0)

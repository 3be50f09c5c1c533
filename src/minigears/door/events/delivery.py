"""Which events are on their way to the executor, and who waits for them. Pure: no I/O, no clock.

Each step costs the same however many events of one key are on their way.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

LIMIT = 10_000
"""Events of one registration on their way before those who cause more of them have to wait."""

LIMIT_BYTES = 16 << 20
"""Bytes of their keys: the same then."""


@dataclass(slots=True)
class Event:
    """One event for one registration."""

    seq: int
    registration: str
    key: bytes
    name: str
    sync: bool
    kind: bytes = b""
    """The key's type, as `TYPE` tells it, after the write that caused the event; empty if nobody has asked."""


@dataclass(slots=True)
class _Waiter:
    callback: Callable[[], None]
    left: int


class _Line:
    """Numbers of events of one key on their way, and who waits for those up to some number."""

    def __init__(self) -> None:
        self._seqs: OrderedDict[int, None] = OrderedDict()  # oldest first; each end costs the same
        self._waiters: deque[tuple[int, _Waiter]] = deque()

    def __bool__(self) -> bool:
        return bool(self._seqs)

    def add(self, seq: int) -> None:
        self._seqs[seq] = None

    def wait(self, waiter: _Waiter) -> None:
        """Have the waiter told when all that are on their way now are done."""
        self._waiters.append((next(reversed(self._seqs)), waiter))

    def done(self, seq: int) -> list[_Waiter]:
        """Take one out; returns who waits no longer for any of these."""
        self._seqs.pop(seq, None)
        oldest = next(iter(self._seqs), None)
        told = []
        while self._waiters and (oldest is None or self._waiters[0][0] < oldest):
            told.append(self._waiters.popleft()[1])
        return told


class Delivery:
    """Events between their notification and the executor's word that their functions are done."""

    def __init__(self, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._counts: dict[str, int] = defaultdict(int)
        self._bytes: dict[str, int] = defaultdict(int)
        self._for_room: dict[str, list[_Waiter]] = {}
        self.crowded: set[str] = set()
        """Registrations with as many events on their way as may be."""
        self._events: dict[int, Event] = {}
        self._lines: dict[tuple[bytes, bool], _Line] = {}
        """By key, those of sync functions (true) and all (false)."""
        self._seq = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def total(self) -> int:
        """Events taken so far."""
        return self._seq

    def add(self, registration: str, key: bytes, name: str, sync: bool) -> Event:
        """Take a new event; its number is the order in which Redis told of it."""
        self._seq += 1
        event = Event(self._seq, registration, key, name, sync)
        self._events[event.seq] = event
        for place in _places(event):
            line = self._lines.get(place)
            if line is None:
                line = self._lines[place] = _Line()
            line.add(event.seq)
        self._counts[registration] += 1
        self._bytes[registration] += len(key)
        if self._too_many(registration):
            self.crowded.add(registration)
        return event

    def done(self, seqs: Iterable[int]) -> None:
        """The functions of these events have run; numbers that are not on their way are ignored."""
        for seq in seqs:
            event = self._events.pop(seq, None)
            if event is None:
                continue
            told: list[_Waiter] = []
            for place in _places(event):
                line = self._lines[place]
                told += line.done(seq)
                if not line:
                    del self._lines[place]
            self._leave(event)
            _tell(told)

    def wait(self, keys: Iterable[bytes], sync_only: bool, callback: Callable[[], None]) -> None:
        """Call back when all events of these keys that are on their way now are done.

        With `sync_only`, events of asynchronous functions are not waited for.
        """
        lines = [line for key in set(keys) if (line := self._lines.get((key, sync_only)))]
        if not lines:
            callback()
            return
        waiter = _Waiter(callback, len(lines))
        for line in lines:
            line.wait(waiter)

    def when_room(self, registrations: Iterable[str], callback: Callable[[], None]) -> None:
        """Call back when none of these registrations is crowded."""
        crowded = self.crowded.intersection(registrations)
        if not crowded:
            callback()
            return
        waiter = _Waiter(callback, len(crowded))
        for registration in crowded:
            self._for_room.setdefault(registration, []).append(waiter)

    def outstanding(self) -> list[Event]:
        """All events on their way, oldest first: what a new executor has to be sent again."""
        return list(self._events.values())

    def _too_many(self, registration: str) -> bool:
        count, size = self._counts[registration], self._bytes[registration]
        return count >= self._limit or size >= self._limit_bytes

    def _leave(self, event: Event) -> None:
        registration = event.registration
        self._counts[registration] -= 1
        self._bytes[registration] -= len(event.key)
        if registration in self.crowded and not self._too_many(registration):
            self.crowded.discard(registration)
            _tell(self._for_room.pop(registration, ()))
        if not self._counts[registration]:
            del self._counts[registration], self._bytes[registration]


def _places(event: Event) -> list[tuple[bytes, bool]]:
    """The lines that an event stands in."""
    return [(event.key, False), (event.key, True)] if event.sync else [(event.key, False)]


def _tell(waiters: Iterable[_Waiter]) -> None:
    for waiter in waiters:
        waiter.left -= 1
        if not waiter.left:
            waiter.callback()

"""Which events are on their way to the executor, and who waits for them. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

LIMIT = 10_000
"""Events of one registration on their way before those who cause more of them have to wait."""


@dataclass(frozen=True)
class Event:
    """One event for one registration."""

    seq: int
    registration: str
    key: bytes
    name: str
    sync: bool


@dataclass
class _Waiter:
    callback: Callable[[], None]
    left: int


class Delivery:
    """Events between their notification and the executor's word that their functions are done."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self._for_room: dict[str, list[_Waiter]] = {}
        self.crowded: set[str] = set()
        """Registrations with as many events on their way as may be."""
        self._events: dict[int, Event] = {}
        self._by_key: dict[bytes, dict[int, Event]] = {}
        self._waiters: dict[int, list[_Waiter]] = {}
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
        self._by_key.setdefault(key, {})[event.seq] = event
        self._counts[registration] += 1
        if self._counts[registration] >= self._limit:
            self.crowded.add(registration)
        return event

    def done(self, seqs: Iterable[int]) -> None:
        """The functions of these events have run; numbers that are not on their way are ignored."""
        for seq in seqs:
            event = self._events.pop(seq, None)
            if event is None:
                continue
            same_key = self._by_key[event.key]
            del same_key[seq]
            if not same_key:
                del self._by_key[event.key]
            self._leave(event.registration)
            _tell(self._waiters.pop(seq, ()))

    def wait(self, keys: Iterable[bytes], sync_only: bool, callback: Callable[[], None]) -> None:
        """Call back when all events of these keys that are on their way now are done.

        With `sync_only`, events of asynchronous functions are not waited for.
        """
        seqs = [
            event.seq
            for key in keys
            for event in self._by_key.get(key, {}).values()
            if event.sync or not sync_only
        ]
        if not seqs:
            callback()
            return
        waiter = _Waiter(callback, len(seqs))
        for seq in seqs:
            self._waiters.setdefault(seq, []).append(waiter)

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

    def _leave(self, registration: str) -> None:
        self._counts[registration] -= 1
        if not self._counts[registration]:
            del self._counts[registration]
        if registration in self.crowded and self._counts[registration] < self._limit:
            self.crowded.discard(registration)
            _tell(self._for_room.pop(registration, ()))


def _tell(waiters: Iterable[_Waiter]) -> None:
    for waiter in waiters:
        waiter.left -= 1
        if not waiter.left:
            waiter.callback()

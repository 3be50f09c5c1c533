"""Reads that a function will probably ask for, fetched together with its key's record.

A function tends to read the same things for every event. What it read last time for an event of
the same name, with this event's key in the old one's place, is sent along with the first trip to
Redis. It is handed out only when the function asks with the very same words, once, and only while
the function has not written anything. In RedisGears nothing else runs beside a sync function, so
what it reads is as of its beginning there, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigears.commandtable import CommandTable
from minigears.executor.redis.connection import RedisError

MISSING = object()

_MAX_READS = 8  # of one event
_MAX_EVENTS = 64

Template = tuple[bytes | None, ...]
"""The words of a command; None stands for the event's key."""


class Habits:
    """What a registration's function reads, by the name of the event."""

    def __init__(self) -> None:
        self._reads: dict[str, tuple[Template, ...]] = {}

    def reads(self, event: str, key: bytes) -> list[tuple[bytes, ...]]:
        """The reads to expect for an event of this key."""
        return [
            tuple(key if word is None else word for word in template)
            for template in self._reads.get(event, ())
        ]

    def learn(self, event: str, asked: tuple[Template, ...]) -> None:
        """Remember what was read this time."""
        if event in self._reads or len(self._reads) < _MAX_EVENTS:
            self._reads[event] = asked


class Prefetch:
    """What was fetched for one run, and what the run asks for."""

    __slots__ = ("_asked", "_key", "_open", "_replies", "_table")

    def __init__(
        self,
        table: CommandTable,
        key: bytes,
        reads: Sequence[tuple[bytes, ...]],
        replies: Sequence[Any],
    ):
        self._table = table
        self._key = key
        self._replies = dict(zip(reads, replies, strict=True))
        self._asked: list[Template] = []
        self._open = True

    @property
    def asked(self) -> tuple[Template, ...]:
        """The reads that can be fetched ahead next time."""
        return tuple(self._asked[:_MAX_READS])

    def take(self, argv: Sequence[bytes]) -> Any:
        """The reply if it was fetched and still holds, else MISSING."""
        if not self._open:
            return MISSING
        if self._table.is_write(argv[0]):
            self.close()
            return MISSING
        if self._key in argv:
            self._asked.append(tuple(None if word == self._key else word for word in argv))
        reply = self._replies.pop(tuple(argv), MISSING)
        # An error may be due to the moment; the function is told what holds when it asks.
        return MISSING if isinstance(reply, RedisError) else reply

    def close(self) -> None:
        """Nothing that was fetched holds any longer."""
        self._open = False
        self._replies.clear()

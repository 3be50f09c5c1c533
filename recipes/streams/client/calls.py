"""A captured write, its bounds, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.names import Partition


@dataclass(frozen=True)
class Limits:
    """When a partition is full, and how long a writer waits for room.

    `entries` and `bytes` are of one partition, `wait` and the backoff are in seconds.
    """

    entries: int = 100_000
    bytes: int = 64 * 1024 * 1024
    wait: float = 10.0
    first_backoff: float = 0.01
    longest_backoff: float = 1.0


@dataclass(eq=False)
class Call:
    """One captured write."""

    key: str
    partition: Partition
    command: str
    arguments: Sequence[Any]
    etag: str = ""
    other: tuple[str, Partition] | None = None
    """Another key that the command changes, as RENAME does."""

    def changed(self) -> list[str]:
        """The documents that it changes."""
        return [self.key, self.other[0]] if self.other else [self.key]

    def sets_whole(self) -> bool:
        """Whether it sets the whole document, on no condition."""
        words = self.arguments
        if self.command == "JSON.SET":
            return len(words) == 2 and words[0] in ("$", ".", b"$", b".")
        return self.command == "SET" and len(words) == 1


@dataclass(frozen=True)
class Written:
    """What came of a write: its entry's id (None: nothing changed) and the command's own reply."""

    stream_id: str | None
    reply: Any


Outcome = Written | Exception


def written_of(reply: Any) -> Written:
    """What the library answers to a write: its entry's id alone stands for OK."""
    if isinstance(reply, bytes):
        return Written(reply.decode(), b"OK")
    if isinstance(reply, str):
        return Written(reply, "OK")
    stream_id, value = reply[0], reply[1] if len(reply) > 1 else None
    return Written(stream_id.decode() if isinstance(stream_id, bytes) else stream_id or None, value)

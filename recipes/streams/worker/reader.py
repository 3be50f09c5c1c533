"""What comes next of a partition: first what is pending, then what is new."""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from concurrent.futures import Future, ThreadPoolExecutor

from ..core.names import version_of
from .entries import Entry
from .queue import Queue
from .settings import Settings

_PENDING, _NEW = "0", ">"  # XREADGROUP's words

_CHANGES_OF_ONE = 10
"""So many times the entries of a batch may be in one whose documents changed again and again: they are one
write each. More would keep Redis busy for long when all are acknowledged together."""


class Reader:
    """Reads batches. In a backlog the next one is fetched while the database writes this one.

    What was fetched is pending, like all that was read: if nobody comes for it, it is read again.
    """

    def __init__(self, queue: Queue, settings: Settings, stop: threading.Event) -> None:
        self.queue, self.settings, self._stop = queue, settings, stop
        self.limit = 1  # entries that are likely to have no more than the bytes of a batch
        self._after = _PENDING  # a predecessor may have read and died
        self._thread = ThreadPoolExecutor(1, queue.partition.tag + "-ahead")
        self._ahead: Future[list[Entry]] | None = None

    def at_new(self) -> bool:
        """Whether all that was pending has been read."""
        return self._after == _NEW

    def again(self) -> None:
        """Begin again with what is pending: what was in hand, and what was fetched, comes once more."""
        self._forget()
        self._after = _PENDING

    def fit(self, mean: float) -> None:
        """Fit batches to their bytes; `mean` is the size of an entry."""
        most = int(self.settings.batch_bytes / max(1, mean))
        self.limit = max(1, min(self.settings.batch_entries, most))

    def pending(self, skip: Container[str]) -> tuple[list[Entry], list[str]]:
        """A batch of what is pending, but for `skip`; and the ids of those that a stranger has deleted."""
        entries, deleted = self.queue.read(self._after, self.limit)
        seen = [entry.stream_id for entry in entries] + deleted
        self._after = max(seen, key=version_of) if seen else _NEW
        return [entry for entry in entries if entry.stream_id not in skip], deleted

    def new(self, patience: float) -> list[Entry]:
        """A batch of what is new: as many as are there, or as come within the wait of a batch."""
        entries = self._fetched() or self._read(self.limit, patience)
        room, deadline = self._room(entries), time.monotonic() + self.settings.batch_wait
        while entries and room and not self._stop.is_set():
            if (left := deadline - time.monotonic()) <= 0:
                break
            entries += self._read(room, left)
            room = self._room(entries)
        if not room:  # more waits, most likely
            self._ahead = self._thread.submit(self._read, self.limit)
        return entries

    def in_hand(self) -> int:
        """How many entries were fetched ahead. Waits until they are there."""
        return len(self._ahead.result()) if self._ahead else 0

    def close(self) -> None:
        """Fetch nothing any more. Returns when nothing is on its way."""
        self._forget()
        self._thread.shutdown()

    def _room(self, entries: list[Entry]) -> int:
        """How many entries more a batch takes, so many that each may be of a document of its own."""
        if len(entries) >= _CHANGES_OF_ONE * self.limit:
            return 0
        if sum(entry.size for entry in entries) >= self.settings.batch_bytes:
            return 0
        writes = len({e.key for e in entries}) if self.settings.coalesce else len(entries)
        return max(0, self.limit - writes)

    def _read(self, count: int, patience: float | None = None) -> list[Entry]:
        return self.queue.read(_NEW, count, patience)[0]

    def _fetched(self) -> list[Entry]:
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead else []

    def _forget(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead and not ahead.cancel():
            ahead.exception()  # waits; whatever it was, nobody asks for it any more

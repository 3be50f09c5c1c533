"""The seam to the system of record: what a database has to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.errors import Misconfigured


@dataclass(frozen=True)
class Change:
    """The last state of one key in a batch. `document` is None for a delete.

    `text` is the document as JSON where it is at hand, for databases that take it so.
    """

    key: str
    document: dict[str, Any] | None
    version: str
    text: str = ""


@dataclass(frozen=True)
class Rejected:
    """A change that the database will not have, and why."""

    change: Change
    error: str


class Refusals(list[Rejected]):
    """What a database refuses of a batch, and what it had of it already."""

    newest: str = ""
    """The greatest version of a document that a change came too late for, the same or a newer one; empty for none."""

    def add(self, others: Refusals) -> Refusals:
        """Take up those of another batch; returns these."""
        self += others
        self.newest = max(self.newest, others.newest)
        return self


@dataclass(frozen=True)
class Stored:
    """What the database holds of a key. `document` is None for a tombstone."""

    key: str
    document: dict[str, Any] | None
    version: str


class Sink(Protocol):
    """A system of record. Methods raise Unavailable in an outage; several threads may call them."""

    def open(self) -> None:
        """Make tables and indexes, or check them. Raises Misconfigured."""

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        """Commit changes durably, one a key, older versions than the stored one being no-ops.

        Returns those that the database refuses for their own sake; all others are committed. As
        `Refusals` they tell of no-ops, too, so that a worker sees when Redis has gone back.
        """

    def read(self, key: str) -> Stored | None:
        """What is stored under a key, tombstones included."""

    def scan(self, after: str = "") -> Iterator[Stored]:
        """All that is stored, tombstones included, in the order of the keys' bytes."""

    def greatest_version(self) -> str | None:
        """The greatest version stored, of those before NO_VERSION."""

    def purge(self) -> None:
        """Remove tombstones that are older than anything that can be replayed."""

    def close(self) -> None:
        """Let go of connections."""


TOMBSTONE_SECONDS = 24 * 3600
"""How long a delete is remembered: longer than anything can be replayed."""

NO_VERSION = ":"
"""Greater than every version, which begins with a digit. What a stranger wrote in the place of one may be greater."""

ANSWERS_WITHIN = 20.0
"""Seconds that a database may take to answer a batch. Then its connection is given up: a server that went
without a word would be waited for as long as the lease is renewed, for ever."""

READS_WITHIN = 600.0
"""The same where a driver can tell: for what reads or cleans whole tables."""


class Routes:
    """Which collection or table a key belongs to: the longest prefix that fits."""

    def __init__(self, routes: Mapping[str, str]) -> None:
        self._routes = sorted(routes.items(), key=lambda item: -len(item[0]))
        if not self._routes:
            raise Misconfigured("no routes: say which keys go where, as in Movie:=movies")

    def of(self, key: str) -> str | None:
        """The collection or table, or None."""
        return next((name for prefix, name in self._routes if key.startswith(prefix)), None)

    def names(self) -> list[str]:
        """All collections or tables."""
        return sorted({name for _, name in self._routes})

"""What a topic's records mean to the sink: an offset is a version. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recipes.streams.core.errors import Misconfigured
from recipes.streams.core.names import version_of
from recipes.streams.worker.entries import Entry, entry_of


@dataclass(frozen=True)
class Topic:
    """A topic, and what its writers and workers have to agree on.

    A key stays in one partition as long as the number of partitions stays, and there offsets only
    grow: so an offset is the version that the database's fence compares. When offsets begin anew, as
    in a topic that was made again or got more partitions, `epoch` has to grow: it is the greater part
    of the version. Who comes from recipes/streams takes milliseconds since 1970: its versions begin so.
    """

    name: str
    partitions: int = 8
    epoch: int = 0

    @property
    def dead(self) -> str:
        """The topic of dead letters."""
        return f"{self.name}.dead"

    def version(self, offset: int) -> str:
        """What the fence compares. Property 3."""
        return version_of(f"{self.epoch}-{offset}")

    def entry(self, record: Any) -> Entry:
        """A record as what the streams recipe coalesces. One without a value is a delete."""
        key, (_, milliseconds) = record.key(), record.timestamp()
        at, version = f"{max(0, milliseconds)}-{record.offset()}", self.version(record.offset())
        if key is None:
            return Entry(at, "", repr(record.value()), version, 0, "the record has no key")
        return entry_of(at, version, key, record.value() or b"")

    def check_partitions(self, found: int) -> None:
        """Raises Misconfigured where the topic has another number of partitions than is said here."""
        if found != self.partitions:
            raise Misconfigured(
                f"the topic {self.name} has {found} partitions, and this process is set to"
                f" {self.partitions}: say so everywhere, and with a greater epoch if some were added"
            )

    def check_end(self, end: int, greatest: str) -> None:
        """Raises Misconfigured where the fence would drop new writes as old ones.

        `end` is the greatest offset that a next record may get, `greatest` the database's greatest version.
        """
        if greatest >= self.version(end):
            raise Misconfigured(f"the database has versions beyond the topic's end: {self.anew}")

    @property
    def anew(self) -> str:
        """What is the matter where offsets began anew, and what to do."""
        return (
            f"the topic {self.name} has begun anew: give all workers an epoch greater than"
            f" {self.epoch}, the milliseconds since 1970 for example"
        )

"""One partition's stream as its leaseholder uses it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from ..client.calls import Limits
from ..core import library
from ..core.errors import LeaseLost
from ..core.library import VERSION, RedisClient
from ..core.names import CONSUMER, GROUP, Partition, version_of
from .entries import Entry, parse


@dataclass(frozen=True)
class DeadLetter:
    """Property 9: what the database will never take, with all that is needed to replay it."""

    entry: Entry
    error: str
    attempts: int


@dataclass(frozen=True)
class Sight:
    """What waits in a partition: entries, bytes, seconds of the oldest, dead letters; and when it was seen.

    Entries are as old as Redis's clock says, which gave them their time: a worker's may be an hour off.
    """

    entries: int
    bytes: int
    oldest: float
    dead: int
    now: float
    """Seconds since 1970, by Redis's clock."""


class Queue:
    """Reads and settles one partition under a fencing token."""

    def __init__(self, redis: RedisClient, partition: Partition, token: str, delete: str) -> None:
        """`delete` is XACKDEL where the server has it, else empty."""
        self.redis = redis
        self.partition = partition
        self.token = token
        self._delete = delete
        self._oldest = (b"", 0.0)

    def make_group(self) -> None:
        """Make the consumer group where it is missing."""
        library.call(self.redis, "FCALL", "wb_group", 1, self.partition.stream, VERSION, GROUP)

    def read(
        self, after: str, count: int, block: float | None = None
    ) -> tuple[list[Entry], list[str]]:
        """Read new entries (`after` is ">") or pending ones; waits `block` seconds for new ones.

        Returns them, and the ids of pending entries that a stranger has deleted.
        """
        milliseconds = None if block is None else max(1, int(block * 1000))
        words: list[Any] = ["GROUP", GROUP, CONSUMER, "COUNT", count]
        words += [] if milliseconds is None else ["BLOCK", milliseconds]
        words += ["STREAMS", self.partition.stream, after]
        at = self.partition.stream
        reply: Any = library.call(self.redis, "XREADGROUP", *words, key=at, NEVER_DECODE=True)
        streams = (
            reply.values() if isinstance(reply, dict) else [entries for _, entries in reply or ()]
        )
        entries: list[Entry] = []
        deleted: list[str] = []
        for found in streams:
            for stream_id, fields in _pairs(found):
                if fields:
                    entries.append(parse(stream_id, fields))
                else:
                    deleted.append(stream_id.decode())
        return entries, deleted

    def pending(self) -> int:
        """How many entries were read and not settled."""
        reply: Any = self.redis.execute_command("XPENDING", self.partition.stream, GROUP)
        return int(reply["pending"] if isinstance(reply, dict) else reply[0])

    def take_back(self, count: int) -> None:
        """Have all that is pending under our own name: somebody may have claimed it, or read here."""
        words = ("XAUTOCLAIM", self.partition.stream, GROUP, CONSUMER, 0, "0-0", "COUNT", count)
        self.redis.execute_command(*words, "JUSTID", parse_justid=True)

    def tell_again(self) -> bool:
        """Let entries be read again that wait and would be told to nobody; returns whether there are any.

        A stranger has deleted the consumer, acknowledged what it had, or moved the group on. What is
        acknowledged by us has left the stream, so the group may always begin again at its start.
        """
        at = self.partition
        if self.pending():
            return False
        ask = self.redis.execute_command
        first = ask("XRANGE", at.stream, "-", "+", "COUNT", 1, NEVER_DECODE=True)
        groups = [_names(group) for group in ask("XINFO GROUPS", at.stream)]
        told = next((g["last-delivered-id"] for g in groups if g["name"] == GROUP), "0-0")
        if not first or version_of(bytes(first[0][0]).decode()) > version_of(told):
            return False
        ask("XGROUP SETID", at.stream, GROUP, "0")
        return True

    def forward(self, stream_id: str) -> int:
        """Let versions go on from here, if they are behind; returns how many entries were moved."""
        at = self.partition
        keys = (at.stream, at.state, at.lease)
        words = ("FCALL", "wb_forward", 3, *keys, VERSION, self.token, GROUP, stream_id)
        return int(library.call(self.redis, *words))

    def has_lost(self, stream_id: str) -> bool:
        """Whether Redis has lost an entry that it once gave out: its stream has, and had, none of that id.

        Ids that are greater may have been given since, so the last of them alone does not tell. What leaves
        the stream does so in order, or nearly: none as new as this one has yet.
        """
        stream, version = self.partition.stream, version_of(stream_id)
        told = _names(self.redis.execute_command("XINFO STREAM", stream))
        if version > version_of(told["last-generated-id"]):
            return True
        if version <= version_of(told["max-deleted-entry-id"]):
            return False
        return not self.redis.execute_command("XRANGE", stream, stream_id, stream_id)

    def is_new(self) -> bool:
        """Whether no worker has had this partition since Redis began, or lost its data."""
        return self.redis.execute_command("HGET", self.partition.state, "opened") is None

    def sweep(self, limits: Limits) -> int:
        """Delete documents whose time has come; returns how many."""
        at = self.partition
        queue = (at.stream, at.state, at.due)
        due = library.call(self.redis, "FCALL", "wb_due", len(queue), *queue, VERSION, 500)
        if not due:
            return 0
        keys = (*queue, *due)
        words = (VERSION, limits.entries, limits.bytes)
        return int(library.call(self.redis, "FCALL", "wb_sweep", len(keys), *keys, *words))

    def look(self) -> Sight:
        """What waits now."""
        at = self.partition
        pipe = self.redis.pipeline(transaction=False)
        pipe.execute_command("XLEN", at.stream)
        pipe.execute_command("HGET", at.state, "bytes")
        pipe.execute_command("XRANGE", at.stream, "-", "+", "COUNT", 1, NEVER_DECODE=True)
        pipe.execute_command("XLEN", at.dead)
        library.call(self.redis, "TIME", key=at.stream, through=pipe)
        depth, size, oldest, dead, (seconds, micros) = pipe.execute()
        now = int(seconds) + int(micros) / 1e6
        age = 0.0
        if oldest:
            first = bytes(oldest[0][0])
            if first != self._oldest[0]:
                self._oldest = (first, time.monotonic())
            # By the clock, and at least as long as it was seen here: clocks step.
            age = now - int(first.split(b"-")[0]) / 1000
            age = max(age, time.monotonic() - self._oldest[1])
        return Sight(int(depth), int(size or 0) if depth else 0, max(0.0, age), int(dead), now)

    def settle(self, ids: Sequence[str], size: int, letters: Sequence[DeadLetter] = ()) -> None:
        """Acknowledge, and keep dead letters, in one step. Raises LeaseLost."""
        words: list[Any] = [VERSION, self.token, GROUP, self._delete, size, len(ids), *ids]
        for letter in letters:
            # Replayed and refused again, it is as old as ever: a newer write stays the next time, too.
            words += [letter.entry.captured_as, letter.entry.key, letter.entry.text]
            words += [letter.error[:2000], letter.attempts]
        at = self.partition
        try:
            keys = (at.stream, at.state, at.lease, at.dead)
            library.call(self.redis, "FCALL", "wb_settle", 4, *keys, *words)
        except ResponseError as error:
            if "WBLEASE" in str(error):
                raise LeaseLost(f"{at.tag}: {error}") from error
            raise


def _names(group: Any) -> dict[str, str]:
    """What XINFO tells, as text."""
    words = [w for pair in group.items() for w in pair] if isinstance(group, dict) else group
    texts = [w.decode() if isinstance(w, bytes) else str(w) for w in words]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _pairs(found: Any) -> list[tuple[bytes, dict[bytes, bytes] | None]]:
    """Entries as id and fields, whichever protocol they came by."""
    pairs = []
    for group in found:
        for stream_id, fields in [group] if group and isinstance(group[0], bytes) else group:
            if isinstance(fields, list):
                fields = dict(zip(fields[::2], fields[1::2], strict=True))
            pairs.append((stream_id, fields))
    return pairs

"""Keys, partitions and versions. Pure."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import cached_property

from .errors import Misconfigured

GROUP = "writers"
CONSUMER = "writer"
"""One name for the partition's role: whoever succeeds a dead worker reads what is pending first."""

DEFAULT_PARTITIONS = 8
DEFAULT_NAMESPACE = "wb"

_TAG = re.compile(r"\{p([0-9]+)\}")
_VERSION = re.compile(r"[0-9]{20}-[0-9]{20}")


@dataclass(frozen=True)
class Partition:
    """One stream with all that belongs to it, in one slot of a cluster."""

    index: int
    namespace: str

    @cached_property
    def tag(self) -> str:
        """The hash tag: `p07`."""
        return f"p{self.index:02d}"

    @cached_property
    def stream(self) -> str:
        """The queue: one entry a write, oldest first."""
        return f"{self.namespace}:{{{self.tag}}}"

    @cached_property
    def state(self) -> str:
        """A hash: queued bytes, last version, fencing token, and what was answered lately."""
        return f"{self.stream}:state"

    @cached_property
    def lease(self) -> str:
        """Who may read the stream now."""
        return f"{self.stream}:lease"

    @cached_property
    def due(self) -> str:
        """A sorted set: documents that expire, with their time."""
        return f"{self.stream}:due"

    @cached_property
    def dead(self) -> str:
        """The dead letters."""
        return f"{self.stream}:dead"


@dataclass(frozen=True)
class Partitions:
    """Which partition a key belongs to.

    A key that names its partition (`Movie:{p07}:1234`) shares that partition's slot and works on a
    Redis Cluster. Any other key goes by its hash, and needs a single Redis.
    """

    count: int = DEFAULT_PARTITIONS
    namespace: str = DEFAULT_NAMESPACE

    def __post_init__(self) -> None:
        if self.count < 1:
            raise Misconfigured(f"{self.count} partitions: there has to be one at least")

    @property
    def config(self) -> str:
        """The hash that holds what all clients and workers must agree on."""
        return f"{self.namespace}:config"

    @property
    def workers(self) -> str:
        """A sorted set: living workers, with the time at which each is taken for dead."""
        return f"{self.namespace}:workers"

    def __getitem__(self, index: int) -> Partition:
        return self.all()[index]

    def all(self) -> list[Partition]:
        """Every partition."""
        return self._all

    @cached_property
    def _all(self) -> list[Partition]:
        return [Partition(index, self.namespace) for index in range(self.count)]

    def of(self, key: str) -> Partition:
        """The partition of a document's key. Property 4: one key, one stream, one order.

        Raises Misconfigured for a key that names a partition that does not exist.
        """
        if "{p" in key and (tag := _TAG.search(key)):
            index = int(tag[1])
            if index >= self.count:
                raise Misconfigured(f"key {key!r} names a partition, and there are {self.count}")
            return self[index]
        return self._all[zlib.crc32(key.encode()) % self.count]

    def key(self, kind: str, identity: str) -> str:
        """A key that works on a cluster, too: `key("Movie", "1234")` is `Movie:{p07}:1234`."""
        return f"{kind}:{{{self[zlib.crc32(identity.encode()) % self.count].tag}}}:{identity}"


def version_of(stream_id: str) -> str:
    """A stream id with a fixed width, so that databases compare it as text. Property 3.

    >>> version_of("1764177903123-7")
    '00000001764177903123-00000000000000000007'
    """
    ms, _, sequence = stream_id.partition("-")
    return f"{int(ms):020d}-{int(sequence or 0):020d}"


def stream_id_of(version: str) -> str:
    """The stream id of a version."""
    ms, _, sequence = version.partition("-")
    return f"{int(ms)}-{int(sequence)}"


def possible(version: str) -> bool:
    """Whether a version may be one of ours, and not what a stranger wrote: a stream can go on from it."""
    return bool(_VERSION.fullmatch(version)) and int(version[:20]) < 2**53

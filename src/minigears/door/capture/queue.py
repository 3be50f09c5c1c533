"""The queue of the streams recipe: where its partitions are, and how much may wait in each."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from functools import cached_property

from minigears.protocol import encode_words

VERSION = 10
"""Of the function library that knows what is called here."""

_TAG = re.compile(rb"\{p(\d+)\}")


@dataclass(frozen=True)
class Queue:
    """Where captured writes go, and how much may wait in each partition (entries, bytes)."""

    namespace: str = "wb"
    partitions: int = 8
    max_entries: int = 100_000
    max_bytes: int = 64 * 1024 * 1024
    _places: dict[int, bytes] = field(default_factory=dict, init=False, compare=False, repr=False)
    _abouts: dict[int, bytes] = field(default_factory=dict, init=False, compare=False, repr=False)

    def checked(self) -> Queue:
        """Itself; raises ValueError if it cannot be one."""
        if not re.fullmatch(r"[^{}\s]{1,64}", self.namespace):
            raise ValueError("a queue's name is 1 to 64 letters, without spaces and braces")
        if min(self.partitions, self.max_entries, self.max_bytes) < 1 or self.partitions > 10_000:
            raise ValueError("a queue has 1 to 10000 partitions, and room for an entry")
        return self

    def holds(self, prefix: bytes) -> bool:
        """Whether the queue's own keys are among those that begin with this."""
        own = self.namespace.encode() + b":"
        return own.startswith(prefix) or prefix.startswith(own)

    @cached_property
    def config(self) -> bytes:
        """The key that tells of the queue."""
        return self.namespace.encode() + b":config"

    def index(self, key: bytes) -> int:
        """Which partition a document belongs to: that which its key names, or by its CRC-32."""
        if b"{p" in key and (tag := _TAG.search(key)):
            return int(tag[1])
        return zlib.crc32(key) % (self.partitions or 1)

    def has(self, key: bytes) -> bool:
        """Whether the partition that a key names, if it names one, is there."""
        return self.index(key) < self.partitions

    def partition(self, index: int) -> list[bytes]:
        """Stream, state and sorted set of a partition."""
        stream = b"%b:{p%02d}" % (self.namespace.encode(), index)
        return [stream, stream + b":state", stream + b":due"]

    def place_words(self, index: int) -> bytes:
        """The same as it is sent, of a partition that is there."""
        known = self._places.get(index)
        if known is None:
            known = self._places[index] = encode_words(self.partition(index))
        return known

    def about(self, protocol: int) -> bytes:
        """What the function is told of the queue, and of the client's RESP version."""
        return (
            f"{VERSION} {self.partitions} {self.max_entries} {self.max_bytes} {protocol}".encode()
        )

    def about_word(self, protocol: int) -> bytes:
        """The same as it is sent."""
        known = self._abouts.get(protocol)
        if known is None:
            known = self._abouts[protocol] = encode_words([self.about(protocol)])
        return known

    @cached_property
    def config_word(self) -> bytes:
        """The key that tells of it, as it is sent."""
        return encode_words([self.config])

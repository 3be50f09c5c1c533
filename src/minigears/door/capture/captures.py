"""Which commands are captured, and the function call that runs each of them. Pure.

The function is the streams recipe's (`wb_capture` in writebehind.lua): it asks for room in the queue, runs the
client's own command, and queues each document as it then is. Names of the queue are the recipe's, too.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from minigears.commandtable import CommandTable
from minigears.protocol import Command

VERSION = 2
"""Of the function library that knows `wb_capture`."""

_TAG = re.compile(rb"\{p(\d+)\}")


@dataclass(frozen=True)
class Queue:
    """Where captured writes go, and how much may wait in each partition (entries, bytes)."""

    namespace: str = "wb"
    partitions: int = 8
    max_entries: int = 100_000
    max_bytes: int = 64 * 1024 * 1024

    def places(self, key: bytes) -> list[bytes]:
        """The document's key with the stream, state and sorted set of its partition."""
        tag = _TAG.search(key)
        # One that names a partition that does not exist fails there: no stream may be without a worker.
        index = int(tag[1]) if tag else zlib.crc32(key) % self.partitions
        stream = b"%b:{p%02d}" % (self.namespace.encode(), index)
        return [key, stream, stream + b":state", stream + b":due"]

    def has(self, key: bytes) -> bool:
        """Whether the partition that a key names, if it names one, is there."""
        tag = _TAG.search(key)
        return tag is None or int(tag[1]) < self.partitions


@dataclass(frozen=True)
class Captures:
    """Prefixes of the keys whose writes are captured."""

    prefixes: tuple[bytes, ...] = ()
    queue: Queue = Queue()

    def concerns(self, key: bytes) -> bool:
        """Whether writes of this key are captured."""
        return key.startswith(self.prefixes)

    def touched(self, data: bytes) -> bool:
        """Whether one of these commands may concern a captured key."""
        return any(prefix in data for prefix in self.prefixes)

    def rewrite(self, argv: Command, table: CommandTable, protocol: int) -> Command:
        """The call that runs a command and captures it, or the command itself if nothing is captured.

        `protocol` is the RESP version that the client speaks.
        """
        if not any(map(self.concerns, argv)):  # as most commands
            return argv
        if not table.arity_fits(argv) or _captures_itself(argv):
            return argv
        keys = [key for key in dict.fromkeys(table.written_keys(argv)) if self.concerns(key)]
        if not keys:
            return argv
        queue = self.queue
        # Of a partition that is not there no config tells, so the function refuses the write.
        count = queue.partitions if all(map(queue.has, keys)) else 0
        about = f"{VERSION} {count} {queue.max_entries} {queue.max_bytes} {protocol}"
        words = [queue.namespace.encode() + b":config"]
        for key in keys:
            words += queue.places(key)
        return [b"FCALL", b"wb_capture", b"%d" % len(words), *words, about.encode(), *argv]


def _captures_itself(argv: Command) -> bool:
    """Whether it comes from a client of the recipe; other scripts on captured keys are refused."""
    return len(argv) > 1 and argv[0].lower() == b"fcall" and argv[1].startswith(b"wb_")


def protocol_after(commands: Iterable[Command], protocol: int) -> int:
    """The RESP version that a client speaks once these have been carried out."""
    for argv in commands:
        name = argv[0].lower()
        if name == b"hello" and len(argv) > 1 and argv[1] in (b"2", b"3"):
            protocol = int(argv[1])
        elif name == b"reset" and len(argv) == 1:
            protocol = 2
    return protocol

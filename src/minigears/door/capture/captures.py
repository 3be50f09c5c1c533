"""Which commands are captured, and the function call that runs each of them. Pure.

The function is the streams recipe's (`wb_capture` in writebehind.lua): it asks for room in the queue, runs the
client's own command, and queues each document as it then is. No function may run a client's script, so that stands
between two calls. Names of the queue are the recipe's, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from minigears.commandtable import SCRIPTS, CommandTable
from minigears.door.capture.calls import ONE, OWN, Write
from minigears.door.capture.queue import Queue
from minigears.protocol import Command

_HEAD = re.compile(rb"\*(\d)\r\n\$\d+\r\n[A-Za-z.]+\r\n\$(\d+)\r\n").match
_NOWHERE = Queue(partitions=0)
"""A queue that is nowhere: the function refuses the write."""


class Captures:
    """Prefixes of the keys whose writes are captured, and the queue of each. Never changes."""

    def __init__(self, queues: Mapping[bytes, Queue] | None = None):
        self.queues = dict(queues or {})
        self.prefixes = tuple(sorted(self.queues, key=len, reverse=True))
        """The longest first: where one begins with another, it goes before."""

    def concerns(self, key: bytes) -> bool:
        """Whether writes of this key are captured."""
        return key.startswith(self.prefixes)

    def _queue(self, key: bytes) -> Queue | None:
        for prefix in self.prefixes:
            if key.startswith(prefix):
                return self.queues[prefix]
        return None

    def rewrite(self, argv: Command, table: CommandTable, protocol: int) -> Command:
        """The call that runs a command and captures it, or the command itself if nothing is captured.

        `protocol` is the RESP version that the client speaks.
        """
        keys = self._to_capture(argv, table)
        if not keys:
            return argv
        words, about = self._places(keys, protocol)
        return [*ONE, b"%d" % len(words), *words, about, *argv]

    def is_script(self, argv: Command, table: CommandTable) -> bool:
        """Whether it is a script, or a function, that declares keys whose writes are captured."""
        return argv[0].lower() in SCRIPTS and bool(self._to_capture(argv, table))

    def around(self, argv: Command, table: CommandTable, protocol: int) -> tuple[Command, Command]:
        """The calls before a script and behind it, which queue what it has changed of the keys it declares."""
        words, about = self._places(self._to_capture(argv, table), protocol)
        place = [b"%d" % len(words), *words, about]
        coming = b"%d" % sum(map(len, argv[3:]))
        before: Command = [b"FCALL", b"wb_script_begins", *place, coming]
        return before, [b"FCALL", b"wb_script_ended", *place]

    def _to_capture(self, argv: Command, table: CommandTable) -> Sequence[bytes]:
        """Keys for which something takes a command's place, if Redis would let it begin."""
        keys = self._written(argv, table)
        return keys if keys and table.arity_fits(argv) and not _captures_itself(argv) else ()

    def _places(self, keys: Sequence[bytes], protocol: int) -> tuple[list[bytes], bytes]:
        """The keys of a call for these documents, and what it is told of their queue."""
        queues = {self._queue(key) or _NOWHERE for key in keys}
        queue = queues.pop()
        # Of a partition that is not there no config tells, and none of two queues at a time.
        there = not queues and all(map(queue.has, keys))
        words = [queue.config]
        for key in keys:
            words += [key, *queue.partition(queue.index(key))]
        return words, (queue if there else _NOWHERE).about(protocol)

    def _written(self, argv: Command, table: CommandTable) -> Sequence[bytes]:
        """Keys that a command may change and whose writes are captured."""
        place = table.only_key(argv[0])
        if place is not None:
            found = argv[place : place + 1]
            return found if found and self.concerns(found[0]) else ()
        if not any(map(self.concerns, argv)):  # as most commands
            return ()
        return [key for key in dict.fromkeys(table.written_keys(argv)) if self.concerns(key)]

    def write(self, raw: bytes) -> Write | None:
        """What is captured of bytes that are one whole command, whose only key is its second word and is written.

        None if nothing is, or if the command has to be parsed. Costs a fraction of parsing the document.
        """
        head = _HEAD(raw)
        if head is None:
            return None
        end = head.end() + int(head[2])
        key = raw[head.end() : end]
        queue = self._queue(key)
        if queue is None:
            return None
        index = queue.index(key)
        if index >= queue.partitions:
            return None
        return Write(queue, index, raw[head.start(2) - 1 : end + 2], int(head[1]), raw)


def _captures_itself(argv: Command) -> bool:
    """Whether it comes from a client of the recipe, or from here."""
    return len(argv) > 1 and argv[0].lower() == b"fcall" and argv[1].lower() in OWN

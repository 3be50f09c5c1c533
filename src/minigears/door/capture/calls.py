"""The calls that capture writes of one document each, as they are sent. Pure.

The document is not parsed: what stands around it is put together from pieces that are the same each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minigears.door.capture.queue import Queue
from minigears.protocol import Command, encode_words

OWN = frozenset(
    b"wb_" + name
    for name in (
        b"version policy write set bundle capture captures script_begins script_ended due sweep requeue get ttl forward"
        b" share group lease renew settle"
    ).split()
)
"""The functions of the recipe's library: their calls come from its own clients, its worker, or from here."""

ONE: Command = [b"FCALL", b"wb_capture"]
MANY: Command = [b"FCALL", b"wb_captures"]
_ONE = encode_words([*ONE, b"5"])
_COUNTS = [encode_words([b"%d" % count]) for count in range(10)]
"""Numbers of words, as they are sent; a command of ten begins with more bytes than the others."""


class Write(NamedTuple):
    """A client's own command, of one document, that is to be captured."""

    queue: Queue
    partition: int
    """That of the document, which is there."""
    key: bytes
    """As it is sent: its length, and itself."""
    words: int
    """Of the command."""
    raw: bytes
    """The command."""


def call(write: Write, protocol: int) -> bytes:
    """The call for one write of a client that speaks this RESP version."""
    queue, partition, key, words, raw = write
    begin = b"*%d\r\n%b" % (words + 9, _ONE)
    about = queue.about_word(protocol)
    return b"".join((begin, queue.config_word, key, queue.place_words(partition), about, raw[4:]))


def calls(writes: Sequence[Write], protocol: int) -> bytes:
    """One call for several writes into one queue; its reply is an array of theirs, or an error about all."""
    if len(writes) == 1:
        return call(writes[0], protocol)
    queue = writes[0].queue
    keys = 4 * len(writes) + 1
    words = keys + 4 + sum(write.words + 1 for write in writes)
    pieces = [b"*%d\r\n" % words, encode_words([*MANY, b"%d" % keys]), queue.config_word]
    for _, partition, key, _, _ in writes:
        pieces += (key, queue.place_words(partition))
    pieces.append(queue.about_word(protocol))
    for write in writes:
        pieces += (_COUNTS[write.words], write.raw[4:])
    return b"".join(pieces)

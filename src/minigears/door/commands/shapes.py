"""Tells at a glance that a chunk is nothing but whole commands of kinds that are harmless.

Nearly all that clients send is short, and looks as it did a moment ago. So the shapes of commands seen
(name and number of words) become a regular expression that matches exactly the chunks that are made
of them, from the beginning of a command to the end of one. `re` checks each length against its word,
and needs a quarter of the time that parsing and looking at each command takes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from minigears.protocol import Command

MAX_NAME = 64
"""Bytes of a name that is remembered; Redis's and its modules' longest have half as many."""

LONG_FROM = 100
"""Bytes of a chunk that may have a long word in it."""

_MAX_SHAPES = 16
_MAX_WORDS = 6
"""Few enough that the expression is compiled in ten milliseconds, whatever clients send."""

Shape = tuple[int, bytes]
"""Number of words, and the name as clients spell it."""

_NOTHING = re.compile(rb"(?!)")


def _exactly(length: int) -> bytes:
    return rb"\r\n.{%d}" % length


def _digits(tens: int) -> bytes:
    """The second digit of a length, or none, and as many bytes as they say."""
    units = b"|".join(b"%d%b" % (unit, _exactly(10 * tens + unit)) for unit in range(10))
    return b"%d(?:%b|%b)" % (tens, _exactly(tens), units)


WORD = rb"\$(?:0\r\n|%b)\r\n" % b"|".join(map(_digits, range(1, 10)))
"""A bulk string of up to 99 bytes."""


_LONG = re.compile(
    rb"\*(?:%b)"
    % b"|".join(
        rb"%d\r\n\$\d+\r\n([A-Za-z.]+)\r\n(?:%b){%d}\$([1-9]\d{2,4})\r\n" % (words, WORD, words - 2)
        for words in range(2, _MAX_WORDS + 1)
    ),
    re.DOTALL,
).match


def long_command(data: bytes) -> Shape | None:
    """The shape of the one command that `data` consists of, if only its last word is long: a document, say.

    Parsing a document only to find where it ends would cost more than all the rest.
    """
    match = _LONG(data)
    if match is None:
        return None
    last = match.lastindex or 0
    if match.end() + int(match[last]) + 2 != len(data) or not data.endswith(b"\r\n"):
        return None
    name = match[last - 1]
    if not data.startswith(b"$%d\r\n" % len(name), 4):
        return None
    return last // 2 + 1, name


class Glance:
    """Learns harmless shapes, and recognises chunks that are made of them."""

    def __init__(self) -> None:
        self._shapes: frozenset[Shape] = frozenset()
        self._short = _NOTHING.fullmatch

    def covers(self, data: bytes) -> bool:
        """Whether the chunk consists of commands of known shapes."""
        return self._short(data) is not None or (
            len(data) > LONG_FROM and long_command(data) in self._shapes
        )

    def learn(self, commands: Iterable[Command]) -> None:
        """Know these commands from now on; the caller says that they are harmless."""
        if len(self._shapes) >= _MAX_SHAPES:
            return
        seen = {
            (len(argv), argv[0])
            for argv in commands
            if len(argv) <= _MAX_WORDS and len(argv[0]) <= MAX_NAME
        }
        if new := sorted(seen - self._shapes):
            self._shapes |= set(new[: _MAX_SHAPES - len(self._shapes)])
            self._short = _compile(self._shapes).fullmatch


@functools.lru_cache(maxsize=64)
def _compile(shapes: frozenset[Shape]) -> re.Pattern[bytes]:
    counts = sorted({words for words, _ in shapes})
    kinds = [_commands(n, sorted(name for words, name in shapes if words == n)) for n in counts]
    return re.compile(rb"(?:\*(?:%b))+" % b"|".join(kinds), re.DOTALL)


def _commands(words: int, names: Iterable[bytes]) -> bytes:
    """Commands of so many words, without their first byte."""
    known = b"|".join(rb"\$%d\r\n%b\r\n" % (len(name), re.escape(name)) for name in names)
    return rb"%d\r\n(?:%b)(?:%b){%d}" % (words, known, WORD, words - 1)

"""Tells at a glance that a chunk is nothing but whole commands of kinds that are harmless.

Nearly all that clients send is short, and looks as it did a moment ago. So the shapes of commands seen
(name and number of words) become a regular expression that matches exactly the chunks that are made
of them, from the beginning of a command to the end of one. `re` checks each length against its word,
and needs a quarter of the time that parsing and looking at each command takes.

Commands whose last word is long, a document say, are stepped over one by one: parsing a document only to find
where it ends would cost more than all the rest.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from minigears.protocol import Command

MAX_NAME = 64
"""Bytes of a name that is remembered; Redis's and its modules' longest have half as many."""

MAX_WORDS = 6
_MAX_SHAPES = 16
"""Few enough that the expression is compiled in ten milliseconds, whatever clients send."""

_LONG_FROM = 100
"""Bytes of a chunk that may have a long word in it."""

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


Behind = Callable[[bytes, int], re.Match[bytes] | None] | None
"""Matches what stands between the name and the last word of a command, if it has more words than the name."""

_BEHIND: list[Behind] = [
    re.compile(rb"(?:%b){%d}\$(0|[1-9]\d{0,6})\r\n" % (WORD, words - 2), re.DOTALL).match
    for words in range(2, MAX_WORDS + 1)
]


def head(shape: Shape) -> bytes:
    """How commands of this shape begin."""
    return b"*%d\r\n$%d\r\n%b\r\n" % (shape[0], len(shape[1]), shape[1])


def behind(words: int) -> Behind:
    """What stands behind the head of a command of so many words."""
    return None if words == 1 else _BEHIND[words - 2]


def head_at(data: bytes, at: int) -> bytes:
    """The head of the command that begins at `at`, if it has fewer than ten words; else something that is none."""
    return data[at : data.find(b"\r\n", data.find(b"\r\n", at + 4) + 2) + 2]


def end_of(data: bytes, at: int, between: Behind) -> int:
    """Where the command ends whose head ends at `at`; -1 if it is not whole, or a word before the last is long."""
    if between is None:
        return at
    match = between(data, at)
    if match is None:
        return -1
    end = match.end() + int(match[1])
    return end + 2 if data.startswith(b"\r\n", end) else -1


class Glance:
    """Learns harmless shapes, and recognises chunks that are made of them."""

    def __init__(self) -> None:
        self._shapes: frozenset[Shape] = frozenset()
        self._behind: dict[bytes, Behind] = {}
        """By the head."""
        self._short = _NOTHING.fullmatch

    def covers(self, data: bytes) -> bool:
        """Whether the chunk consists of commands of known shapes."""
        return self._short(data) is not None or (len(data) > _LONG_FROM and self._covers_long(data))

    def _covers_long(self, data: bytes) -> bool:
        at, size = 0, len(data)
        while at < size:
            begin = head_at(data, at)
            if begin not in self._behind:
                return False
            at = end_of(data, at + len(begin), self._behind[begin])
            if at < 0:
                return False
        return True

    def learn(self, commands: Iterable[Command]) -> None:
        """Know these commands from now on; the caller says that they are harmless."""
        if len(self._shapes) >= _MAX_SHAPES:
            return
        seen = {
            (len(argv), argv[0])
            for argv in commands
            if len(argv) <= MAX_WORDS and len(argv[0]) <= MAX_NAME
        }
        if new := sorted(seen - self._shapes):
            self._shapes |= set(new[: _MAX_SHAPES - len(self._shapes)])
            self._behind = {head(shape): behind(shape[0]) for shape in self._shapes}
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

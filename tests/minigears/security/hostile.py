"""A seeded source of bytes that no client would send."""

from __future__ import annotations

import random
from collections.abc import Iterator

_SEEDS = [
    b"*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$3\r\nk:1\r\n$5\r\nvalue\r\n",
    b"*2\r\n$3\r\nGET\r\n$3\r\nk:1\r\n" * 3,
    b"PING\r\n",
    b"SET k:1 \"a\\x00\\n b\" \r\nGET 'k:1'\r\n",
    b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n",
    b"*2\r\n$12\r\nRG.PYEXECUTE\r\n$10\r\nGB().run()\r\n",
    b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n",
    b"*1\r\n$4\r\nINFO\r\n",
]
_HEADERS = [
    *(b"*%d\r\n" % n for n in (-2, -1, 0, 7, (1 << 20) + 1, 1 << 31, 1 << 63)),
    *(b"$%d\r\n" % n for n in (-2, -1, 0, 7, 500_000_000, 1 << 29, (1 << 29) + 1, 1 << 63)),
    *(b"*+1\r\n", b"*01\r\n", b"*1 \r\n", b"*\r\n", b"$\r\n", b"*x\r\n", b"$x\r\n", b"*" * 50),
    *(b">1\r\n", b"%1\r\n", b"~1\r\n", b"|1\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n", b"(123\r\n"),
    *(b"=8\r\ntxt:PING\r\n", b"!3\r\nERR\r\n", b"+OK\r\n", b"-ERR\r\n", b":1\r\n", b"$?\r\n"),
    *(b"*1\r\n" * 12, b"*2\r\n" * 12, b'"', b"'", b"\\x", b"\r", b"\n", b"\0", b"\xff"),
]
_HUGE = [b"*999999\r\n", b"*1048576\r\n"]
"""Counts that are allowed and cost a millisecond each: one input in a hundred gets one."""


class Hostile:
    """Inputs and cuts, the same for the same seed."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def input(self) -> bytes:
        """Commands, spoilt in one to four places."""
        chance = self._random
        data = bytearray(b"".join(chance.choices(_SEEDS, k=chance.randint(1, 3))))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) + 1)
            kind = chance.randrange(5)
            if kind == 0:
                data[at:at] = chance.choice(_HEADERS)
            elif kind == 1:
                del data[at : at + chance.randint(1, 8)]
            elif kind == 2:
                data[at : at + 1] = chance.randbytes(1)
            elif kind == 3:
                data[at:at] = data[: chance.randint(0, 30)]
            else:
                del data[at:]
        if chance.random() < 0.01:
            data[:0] = chance.choice(_HUGE)
        return bytes(data)

    def cut(self, data: bytes) -> Iterator[bytes]:
        """The same bytes in up to three pieces."""
        first, second = sorted(self._random.randrange(len(data) + 1) for _ in range(2))
        yield from (part for part in (data[:first], data[first:second], data[second:]) if part)

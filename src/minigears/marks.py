"""Marks around the writes of sync functions: the door believes them from its own executor only, and once.

Both stand on a channel of Redis, where anybody may publish and listen. So the first carries a number that was not
used before and a code that nobody can make who does not know the secret, which is new for each executor. What
follows it, up to the second, is in the same transaction: nobody comes between.
"""

from __future__ import annotations

import hmac
import itertools
import secrets

END = b"end"
"""The second mark: it says nothing but that the first one is over."""

_MAX_MISSING = 100_000
"""Numbers that may be skipped before the oldest of them count as used: calls that were on their way when a
connection ended."""


def new_secret() -> str:
    """A secret for one executor, fit for its environment."""
    return secrets.token_hex(32)


class Marker:
    """Makes first marks. Any thread may."""

    def __init__(self, secret: str):
        self._secret = secret.encode()
        self._numbers = itertools.count()

    def begin(self) -> bytes:
        """The next first mark."""
        number = b"%d" % next(self._numbers)
        return b"begin %b %b" % (number, _code(self._secret, number))


class MarkReader:
    """Knows which marks are those of a `Marker` with the same secret."""

    def __init__(self, secret: str):
        self._secret = secret.encode()
        self._next = 0
        self._missing: set[int] = set()
        """Numbers below `_next` that were not seen: calls of several connections overtake one another."""

    def begins(self, mark: bytes) -> bool:
        """Whether this is a first mark that was not there before."""
        word, _, rest = mark.partition(b" ")
        text, _, code = rest.partition(b" ")
        if word != b"begin" or not hmac.compare_digest(code, _code(self._secret, text)):
            return False
        number = int(text)
        if number in self._missing:
            self._missing.remove(number)
            return True
        if number < self._next:
            return False
        self._missing.update(range(self._next, number))
        self._next = number + 1
        if len(self._missing) > _MAX_MISSING:
            self._missing = set(sorted(self._missing)[-_MAX_MISSING // 2 :])
        return True


def _code(secret: bytes, number: bytes) -> bytes:
    return hmac.digest(secret, number, "sha256").hex().encode()

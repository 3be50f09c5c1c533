"""Codes on what minigears keeps in Redis, where others can write, too.

Only who knows the password that minigears logs in with can make them, and who knows that may do what minigears
does. Without a password everybody may; then a code only tells what was written by something else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from functools import cached_property

_COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""A code must be no quick way to try passwords."""
_LENGTH = 16  # bytes of a code


class Seal:
    """Makes and checks codes; one object for a process, as the first use takes a moment."""

    def __init__(self, password: str | None, previous: str | None = None):
        """With `previous`, the password of earlier lives, codes of those are known, too; "" is for none."""
        self.keyless = not password
        """Whether anybody can make the same codes."""
        self.open = not password or previous == ""
        """Whether what has no code is taken, too: anybody could have made one."""
        self.changed = previous is not None
        """Whether what was sealed before is to be sealed again."""
        self._passwords = [password or ""] + ([previous] if previous is not None else [])

    @cached_property
    def _keys(self) -> list[bytes]:
        return [hashlib.scrypt(p.encode(), salt=b"minigears", **_COST) for p in self._passwords]

    def code(self, parts: Iterable[bytes]) -> bytes:
        """The code of these parts, in this order: 32 characters."""
        return _code(self._keys[0], list(parts))

    def fits(self, code: bytes, parts: Iterable[bytes]) -> bool:
        """Whether this is the code of these parts."""
        parts = list(parts)
        return any(hmac.compare_digest(code, _code(key, parts)) for key in self._keys)


def _code(key: bytes, parts: list[bytes]) -> bytes:
    digest = hashlib.blake2b(key=key, digest_size=_LENGTH)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest().encode()

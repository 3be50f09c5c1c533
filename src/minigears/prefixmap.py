"""What belongs to a key, where keys and prefixes of keys say so. Pure look-ups, on the hot path."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

V = TypeVar("V")


class PrefixMap(Generic[V]):
    """Values by whole keys and by prefixes; a look-up costs the same with one and with 100,000.

    It tries each length that a prefix has, and those are few.
    """

    def __init__(self, entries: Iterable[tuple[bytes, bool, V]]):
        """`entries` are (key or prefix, whether it is a whole key, value)."""
        self._exact: dict[bytes, list[tuple[int, V]]] = {}
        self._prefixes: dict[bytes, list[tuple[int, V]]] = {}
        for order, (text, exact, value) in enumerate(entries):
            (self._exact if exact else self._prefixes).setdefault(text, []).append((order, value))
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def __bool__(self) -> bool:
        return bool(self._prefixes or self._exact)

    def __contains__(self, key: bytes) -> bool:
        return key in self._exact or self._begun(key, len(key))

    def find(self, key: bytes) -> list[V]:
        """The values of this key and of its prefixes, in the order in which they were given."""
        found = list(self._exact.get(key, ()))
        for length in self._lengths:
            if length <= len(key):
                found += self._prefixes.get(key[:length], ())
        if len(found) > 1:
            found.sort(key=_order)
        return [value for _, value in found]

    def outermost(self) -> list[tuple[bytes, bool]]:
        """The keys and prefixes that no other prefix covers, with the flag for whole keys."""
        prefixes, keys = self._prefixes, self._exact
        kept = [(prefix, False) for prefix in prefixes if not self._begun(prefix, len(prefix) - 1)]
        return kept + [(key, True) for key in keys if not self._begun(key, len(key))]

    def _begun(self, text: bytes, limit: int) -> bool:
        """Whether a prefix of at most `limit` bytes begins `text`."""
        prefixes = self._prefixes
        for length in self._lengths:  # noqa: SIM110 - a generator costs three times as much
            if length <= limit and text[:length] in prefixes:
                return True
        return False


def _order(entry: tuple[int, object]) -> int:
    return entry[0]

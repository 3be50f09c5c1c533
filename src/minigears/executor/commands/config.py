"""`RG.CONFIGGET` and `RG.CONFIGSET`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minigears.executor.gears import Gears


def get(gears: Gears, words: list[bytes]) -> Any:
    """One reply for each name; an unknown name is an error in its place."""
    return [gears.config.get(_text(word)) for word in words]


def set_(gears: Gears, words: list[bytes]) -> Any:
    """One reply for each name and value."""
    pairs = itertools.zip_longest(words[::2], words[1::2])
    return [
        gears.config.set(_text(name), None if value is None else _text(value))
        for name, value in pairs
    ]


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")

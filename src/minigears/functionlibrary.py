"""What a function library of ours shows of itself, without its text: the description of its one function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def description(reply: Sequence[Any]) -> bytes | None:
    """The description in Redis's reply to `FUNCTION LIST LIBRARYNAME`, empty if there is none.

    None if there is no such library.
    """
    for library in reply:
        for function in _pairs(library)[b"functions"]:
            return _pairs(function)[b"description"] or b""
        return b""
    return None


def _pairs(flat: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))

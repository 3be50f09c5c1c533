"""Ids of stream entries, in a module that a worker can import without all others."""

from __future__ import annotations


def version_of(stream_id: str) -> str:
    """A stream id that compares as text."""
    return "-".join(part.zfill(20) for part in stream_id.split("-"))

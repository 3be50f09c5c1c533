"""Reading a document that Redis may have evicted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..databases.sink import Sink
from .client import WriteBehind

_PAGE = 500


def read_through(wb: WriteBehind, sink: Sink, key: str) -> Any:
    """The document from Redis; else from what waits for the database; else from the database.

    Property 5: a read is never older than the queue. What Redis has evicted may still wait, and
    until then the database has an older state, or none. Looks at a partition's whole queue, newest
    first, so only on a miss. Returns None for what was deleted, or never there. Nothing is put
    back into Redis. Raises Unavailable while the database is away and is the only one to ask.
    """
    if (document := wb.get(key)) is not None:
        return document
    for text in _queued(wb, key):
        return json.loads(text) if text else None
    stored = sink.read(key)
    return stored.document if stored else None


def _queued(wb: WriteBehind, key: str) -> Iterator[str]:
    """Documents that wait under a key, newest first; an empty text is a delete."""
    stream, before = wb.partitions.of(key).stream, "+"
    while page := wb.redis.execute_command("XREVRANGE", stream, before, "-", "COUNT", _PAGE):
        for _, fields in page:
            if _text(fields, "key") == key:
                yield _text(fields, "doc")
        last = page[-1][0]
        before = f"({last.decode() if isinstance(last, bytes) else last}"


def _text(fields: Any, name: str) -> str:
    found = fields.get(name.encode(), fields.get(name, b""))
    return found.decode(errors="replace") if isinstance(found, bytes) else str(found)

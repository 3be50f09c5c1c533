"""An entry of a stream as the record that user code gets."""

from __future__ import annotations

from typing import Any

from minigears.executor.streams.group import Entry


def to_record(key: bytes, entry: Entry) -> dict[str, Any]:
    """`{'key', 'id', 'value'}`.

    The fields are in reverse order of insertion, as in RedisGears: rgsync's MongoConnector relies
    on it. What is not UTF-8 is a bytearray, or bytes as the name of a field.
    """
    fields = entry.fields or []
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    value = {_name(name): text(pairs[name]) for name in reversed(pairs)}
    return {"key": text(key), "id": entry.id.decode(), "value": value}


def text(data: bytes) -> str | bytearray:
    """`data` as text if it is UTF-8, else a bytearray."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return bytearray(data)


def _name(data: bytes) -> str | bytes:
    found = text(data)
    return found if isinstance(found, str) else data

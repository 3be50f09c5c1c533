"""What the tests write, and what came of it: entries that wait, and letters that were given up."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from recipes.streams import WriteBehind
from recipes.streams.core.names import version_of
from tests.recipes.servers import has_json, wait_for

KEY = "Movie:1"
needs_json = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")


def raw(wb: WriteBehind, key: str, text: str) -> None:
    """A write that no check of the client's has seen."""
    wb.prepare()
    words = ("JSON.SET", key, "$", text) if wb.json else ("SET", key, text)
    wb._one(wb.call(*words))


def plain(redis: Redis, key: str, document: object) -> None:
    """A write that nobody captures."""
    if has_json():
        redis.json().set(key, "$", document)
    else:
        redis.set(key, json.dumps(document))


def entries(wb: WriteBehind) -> list[dict[bytes, bytes]]:
    """All that wait, by their versions."""
    found = [e for p in wb.partitions.all() for e in wb.redis.xrange(p.stream)]
    return [fields for _, fields in sorted(found, key=lambda entry: version_of(entry[0].decode()))]


def numbers(wb: WriteBehind) -> list[int]:
    """What was written, entry by entry; deletes left out."""
    return [json.loads(e[b"doc"])["n"] for e in entries(wb) if e[b"doc"]]


def letters(wb: WriteBehind) -> list[dict[bytes, bytes]]:
    """All dead letters."""
    return [f for p in wb.partitions.all() for _, f in wb.redis.xrange(p.dead)]


def drained(wb: WriteBehind) -> None:
    """Wait until nothing waits any more."""
    streams = [partition.stream for partition in wb.partitions.all()]
    wait_for(lambda: not any(wb.redis.xlen(s) for s in streams), 60, "the queue to be drained")

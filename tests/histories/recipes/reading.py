"""What Redis holds once it is asked past every proxy: the same questions for every recipe."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

from redis import Redis

from tests.histories.verdict.history import Document, Sample
from tests.recipes.servers import PlainRedis


def json_documents(server: PlainRedis, prefix: str) -> dict[str, Document]:
    """The JSON documents of the keys with a prefix."""
    with server.client(decode_responses=True) as redis:
        keys = list(redis.scan_iter(match=f"{prefix}*", count=1000))
        texts = redis.execute_command("JSON.MGET", *keys, "$") if keys else []
    return {k: json.loads(t)[0] for k, t in zip(keys, texts, strict=True) if t is not None}


def sample_of(redis: Redis, streams: Iterable[str]) -> Sample:
    """How much waits in some streams, and for how long the oldest entry has."""
    depth, oldest = 0, 0.0
    for stream in streams:
        depth += redis.xlen(stream)
        for entry, _ in redis.xrange(stream, count=1):
            oldest = max(oldest, time.time() - int(entry.partition("-")[0]) / 1000)
    return Sample(time.monotonic(), depth, oldest)

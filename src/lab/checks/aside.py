"""Keys that a check uses, lent by whoever had them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis


@contextmanager
def aside(client: redis.Redis, *keys: str) -> Iterator[None]:
    """Take what is at the keys away until the block ends, whatever its type; then all is as before.

    Unregister inside of it what the check has registered, or that sees the keys come back."""
    kept = {
        key: (client.execute_command("DUMP", key, NEVER_DECODE=True), client.pttl(key))
        for key in keys
    }
    client.delete(*keys)
    try:
        yield
    finally:
        client.delete(*keys)
        for key, (value, milliseconds) in kept.items():
            if value:
                client.restore(key, max(milliseconds, 0), value, replace=True)

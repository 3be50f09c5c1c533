"""What an exercise's script registers, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from lab.stack.gears import registrations


@contextmanager
def undone(client: redis.Redis) -> Iterator[set[str]]:
    """Yield the ids of what is registered before; unregister at the end what came since."""
    before = {known["id"] for known in registrations(client)}
    try:
        yield before
    finally:
        for known in registrations(client):
            if known["id"] not in before:
                client.execute_command("RG.UNREGISTER", known["id"], "ABORTPENDING")

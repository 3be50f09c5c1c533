"""A learner's script in Gears: that it ends, what it registers, and that nothing of that stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from lab.checks.exercise import PATIENCE, Wrong
from lab.checks.limit import Endless, within
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


def run(client: redis.Redis, script: str) -> Any:
    """Return the reply to a script. Raises what redis-py raises, and Wrong when it does not end."""
    try:
        return within(PATIENCE, client.execute_command, "RG.PYEXECUTE", script)
    except Endless:
        raise Wrong(
            f"Your script has not ended after {PATIENCE:.0f} s: does a loop in it never end? It runs on in Gears. "
            '`lab.kill("minigears")` and `lab.start("minigears")` end it (in containers, "redis").'
        ) from None

"""Ports for the servers of tests, which may stop and start again on the same port."""

from __future__ import annotations

import random

from lab.stack.ports import is_free

_FIRST, _LAST = 10_000, 19_999
"""Below those that systems give to outgoing connections: while a server is stopped, one of these
could take its port, and below those that `tests/plugins/sandbox.py` gives out."""


def free_ports(count: int) -> list[int]:
    """So many different ports on loopback that nothing uses."""
    candidates = random.SystemRandom().sample(range(_FIRST, _LAST + 1), 50 * count)
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]

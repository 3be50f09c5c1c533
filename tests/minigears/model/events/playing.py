"""A generated history on a running minigears, from an empty server to an empty server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pytest
import redis

from tests.minigears.realgears import MiniGears

PART = 98
"""So many seeds take well below a test's time limit on a busy machine."""


def parts(first: int, last: int) -> list[Any]:
    """Where parts of a long share begin: two for every run of the long forms, the rest for a soak."""
    begins = range(first, last, PART)
    return [*begins[:2], *(pytest.param(each, marks=pytest.mark.soak) for each in begins[2:])]


class History(Protocol):
    """One history beside its model."""

    def step(self) -> None:
        """Do something, and compare."""


def play(
    gears: MiniGears, seed: int, begin: Callable[[redis.Redis, int], History], steps: int
) -> None:
    """So many steps of the history that `begin` makes of a client, which speaks RESP2 or RESP3, and a seed."""
    with gears.client(single_connection_client=True, protocol=2 + seed % 2) as client:
        history = begin(client, seed)
        for _ in range(steps):
            history.step()
        for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
            client.execute_command("RG.UNREGISTER", registration[1])
        client.flushall()

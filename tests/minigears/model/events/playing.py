"""A generated history on a running minigears, from an empty server to an empty server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import redis

from tests.minigears.realgears import MiniGears


class History(Protocol):
    """One history beside its model."""

    def step(self) -> None:
        """Do something, and compare."""


def play(
    gears: MiniGears, seed: int, begin: Callable[[redis.Redis, int], History], steps: int
) -> None:
    """So many steps of the history that `begin` makes of a client and a seed."""
    with gears.client(single_connection_client=True) as client:
        history = begin(client, seed)
        for _ in range(steps):
            history.step()
        for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
            client.execute_command("RG.UNREGISTER", registration[1])
        client.flushall()

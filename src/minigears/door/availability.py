"""Whether redis-server is there, for all who wait for it."""

from __future__ import annotations

import asyncio
import contextlib

BLINK = 1.0
"""Seconds that new clients wait for a redis-server that has just gone, before they are refused."""


class Availability:
    """Two events: the door is connected, and Redis answers."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        """Set while the door's own connections to redis-server are there."""
        self.available = asyncio.Event()
        """Set while redis-server is there and answers: without it new clients are refused."""
        self._away = 0.0
        """Since when redis-server is not available."""

    def back(self) -> None:
        """The door is connected."""
        self.connected.set()
        self.available.set()

    def gone(self) -> None:
        """The door has lost a connection."""
        self.connected.clear()
        self.silent()

    def silent(self) -> None:
        """Redis does not answer."""
        self.available.clear()
        self._away = asyncio.get_running_loop().time()

    async def comes_back_soon(self) -> bool:
        """Wait for redis-server, but not for one that has been away for a moment already."""
        left = self._away + BLINK - asyncio.get_running_loop().time()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.available.wait(), max(left, 0))
        return self.available.is_set()

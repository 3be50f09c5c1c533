"""Commands whose reply functions may override: whose event is whose. No I/O."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from minigears.door.events.delivery import Event


class Overrides:
    """Collects the events of such commands, which are then handed to the executor one by one."""

    def __init__(self) -> None:
        self._events: dict[bytes, list[Event]] = {}
        self._left = asyncio.Condition()

    def take(self, event: Event) -> bool:
        """Keep an event if a command is being carried out for its key; tells whether it was kept."""
        events = self._events.get(event.key)
        if events is None:
            return False
        events.append(event)
        return True

    @contextlib.asynccontextmanager
    async def collect(self, keys: Collection[bytes]) -> AsyncIterator[list[Event]]:
        """Collect the events of these keys while a command is carried out.

        Commands about the same key take turns: nobody could tell whose event is whose.
        """
        async with self._left:
            await self._left.wait_for(lambda: self._events.keys().isdisjoint(keys))
        events: list[Event] = []
        self._events.update(dict.fromkeys(keys, events))
        try:
            yield events
        finally:
            for key in set(keys):
                del self._events[key]
            async with self._left:
                self._left.notify_all()

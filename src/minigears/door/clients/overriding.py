"""Running the functions that may override a command's reply."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from minigears.door.executor import ExecutorLost
from minigears.protocol import Command

if TYPE_CHECKING:
    from minigears.door.door import Door
    from minigears.door.events.delivery import Event


async def override(door: Door, events: list[Event], argv: Command) -> bytes | None:
    """Have the functions of these events run, in turn; returns the reply that the last one set.

    When the executor dies over one, all that are left stay on their way: the next one gets them.
    """
    answer = None
    left = deque(events)
    try:
        while left:
            answer = await door.executor.event_call(left[0], argv) or answer
            door.delivery.done([left.popleft().seq])
    except ExecutorLost:
        left.clear()
    finally:  # redis-server has gone: the intent, which is left, brings them back
        door.delivery.done([event.seq for event in left])
    return answer

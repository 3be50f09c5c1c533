"""Running the functions that may override a command's reply."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from minigears.door.executor import ExecutorLost
from minigears.protocol import Command

if TYPE_CHECKING:
    from minigears.door.events.delivery import Event
    from minigears.door.events.watch import Watch


async def override(watch: Watch, events: list[Event], argv: Command) -> bytes | None:
    """Have the functions of these events run, in turn; returns the reply that the first one set that did.

    Those whose registration does not name this command were collected for others, and go their usual way.
    When the executor dies over one, all that are left stay on their way: the next one gets them.
    """
    answer = None
    left = deque(event for event in events if watch.interest.names(event.registration, argv[0]))
    watch.hand_over([event for event in events if event not in left])
    try:
        while left:
            told = await watch.executor.event_call(left[0], argv, overridden=answer is not None)
            answer = answer or told
            watch.delivery.done([left.popleft().seq])
    except ExecutorLost:
        left.clear()
    finally:  # redis-server has gone: the intent, which is left, brings them back
        watch.delivery.done([event.seq for event in left])
    return answer

"""What a function writes may cause `sync` functions: they run before its call returns, as in RedisGears.

There they run inside the call. Here the door is told of the keys, and says when it knows of no such function any more.
Those that are waited for never wait in this way themselves, so nobody waits in a circle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigears.executor.redis.calls import Rules
    from minigears.executor.threads.hub import Hub
    from minigears.executor.usercode.context import Context


class Settling:
    """Waits for the functions that a function has caused. Any thread may."""

    def __init__(self, rules: Rules, hub: Hub) -> None:
        self._rules = rules
        self._hub = hub
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[None]] = {}
        self.ask: Callable[[int, list[bytes]], None] = lambda number, keys: self.settled(number)
        """Tells the door, which has `settled` called."""

    def wait(self, context: Context, argv: Sequence[bytes]) -> None:
        """Return once the functions that the command has caused are done, if the caller is one that waits."""
        if not context.settles or context.atomic_depth or self._hub.at_home:
            return
        keys = self._rules.followed(argv)
        if keys:
            number, future = next(self._numbers), Future[None]()
            self._waiting[number] = future
            self.ask(number, keys)
            self._hub.wait_for(future)

    def settled(self, number: int) -> None:
        """The door has said so."""
        future = self._waiting.pop(number, None)
        if future is not None:
            future.set_result(None)

"""The future that coroutines wait for."""

from __future__ import annotations

import asyncio
from typing import Any

from minigears.executor.errors import GearsError
from minigears.executor.usercode.context import current


class GearsFuture(asyncio.Future[Any]):
    """A value that comes later, for coroutines: the results and errors of a run that a function has begun, say.

    Nobody may wait for it inside `atomic()`, which keeps all other functions from going on.
    """

    def __await__(self) -> Any:
        context = current.get()
        if context is not None and context.atomic_depth:
            raise GearsError("await is not allow inside atomic block")
        own = self.get_loop()
        if asyncio.get_running_loop() is own:
            return (yield from super().__await__())
        # a function that runs a loop of its own
        found = asyncio.run_coroutine_threadsafe(_value_of(self), own)
        return (yield from asyncio.wrap_future(found).__await__())

    __iter__ = __await__


async def _value_of(future: GearsFuture) -> Any:
    return await future

"""Calling user code: waiting for what it returns, and living with what it does."""

from __future__ import annotations

import asyncio
import cProfile
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import nullcontext
from types import CoroutineType
from typing import Any

from minigears.executor.context import leave_if_forked
from minigears.executor.errors import ForceStopped, GearsError
from minigears.executor.executions import Execution
from minigears.executor.pool import Pool

UserCall = Callable[..., Any]


class GearsFuture:
    """A value that comes later: returned by a step, or awaited by a coroutine."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def continueRun(self, result: Any = None) -> None:
        """Go on with this value; only the first call counts."""
        if not self.future.done():
            self.future.set_result(result)

    def continueFailed(self, error: Any = None) -> None:
        """Go on with an error; only the first call counts."""
        if not self.future.done():
            raised = error if isinstance(error, BaseException) else GearsError(str(error))
            self.future.set_exception(raised)

    def __await__(self) -> Any:
        return asyncio.wrap_future(self.future).__await__()


class Loop:
    """The asyncio loop that runs coroutines, in a thread of its own that starts when needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run `coroutine`, with the context variables of the caller."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="minigears-coroutines", daemon=True
                ).start()
            return self._loop


coroutines = Loop()


class Profiler:
    """What `ProfileExecutions` gathers about one session's functions."""

    _lock = threading.Lock()
    """One call at a time in the whole process: Python has one profiler."""

    def __init__(self) -> None:
        self.profile = cProfile.Profile()

    def call(self, function: UserCall, *arguments: Any) -> Any:
        """Call under the profiler, unless another call is under it."""
        if not self._lock.acquire(blocking=False):
            return function(*arguments)
        try:
            return self.profile.runcall(function, *arguments)
        finally:
            self._lock.release()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.profile = cProfile.Profile()


Wait = Callable[[Future[Any]], Any]


def user_call(wait: Wait | None, profiler: Profiler | None = None) -> UserCall:
    """How steps call user functions: `call(function, *arguments)` returns the final value.

    `wait` waits for what comes later; without it, user code may not return such.
    """

    def call(function: UserCall, *arguments: Any) -> Any:
        try:
            value = profiler.call(function, *arguments) if profiler else function(*arguments)
        finally:
            leave_if_forked()
        kind = type(value)
        if kind is CoroutineType:
            return _wait(wait, coroutines.start(value)) if wait else _refuse(value)
        return _wait(wait, value.future) if kind is GearsFuture else value

    return call


call_without_waiting = user_call(None)
"""How steps of sync functions are called."""


def waiting_in(execution: Execution, pool: Pool | None) -> Wait:
    """How an execution waits; an abort ends the wait.

    A job of `pool` leaves its place to others meanwhile.
    """

    def wait(future: Future[Any]) -> Any:
        execution.waits_for = future
        try:
            with pool.blocked() if pool is not None else nullcontext():
                return future.result()
        except BaseException:
            if future.cancelled():
                raise ForceStopped from None
            raise
        finally:
            execution.waits_for = None

    return wait


def _wait(wait: Wait | None, future: Future[Any]) -> Any:
    if wait is None:
        raise GearsError("a sync function can not wait for an asynchronous result")
    return wait(future)


def _refuse(coroutine: Coroutine[Any, Any, Any]) -> None:
    coroutine.close()
    raise GearsError("a sync function can not wait for an asynchronous result")

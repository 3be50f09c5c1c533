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

from minigears.executor.errors import ForceStopped, GearsError
from minigears.executor.flow.executions import Execution
from minigears.executor.threads.hub import Hub
from minigears.executor.threads.pool import Pool
from minigears.executor.usercode.context import Context, current, leave_if_forked
from minigears.executor.usercode.futures import AsyncRecord, GearsFuture, Promise

UserCall = Callable[..., Any]


class Loop:
    """The asyncio loop that runs coroutines, in a thread of its own that starts when needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run `coroutine`, with the context variables of the caller."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    @property
    def here(self) -> bool:
        """Whether this is the coroutines' thread."""
        return self._thread is not None and self._thread.ident == threading.get_ident()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="minigears-coroutines", daemon=True
                )
                self._thread.start()
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
        context = current.get()
        try:
            value = profiler.call(function, *arguments) if profiler else function(*arguments)
        except BaseException:
            if context is not None and context.promise is not None:
                context.promise = None
            raise
        finally:
            leave_if_forked()
        if context is not None and context.promise is not None:
            promise, context.promise = context.promise, None
            promise.returned = type(value) is AsyncRecord and value.promise is promise
            value = None  # nobody but users may keep it, else none is ever dropped
            return _wait(wait, promise.future)
        kind = type(value)
        if kind is CoroutineType:
            return _wait(wait, coroutines.start(value)) if wait else _refuse(value)
        if kind is GearsFuture or kind is AsyncRecord:
            later, value = value.future, None
            return _wait(wait, later)
        return value

    return call


def folding_call(call: UserCall) -> UserCall:
    """How reducers are called: a future that they made and dropped is None, whatever they did."""

    def fold(function: UserCall, *arguments: Any) -> Any:
        context = current.get()
        made: list[Promise] = []
        try:
            return call(_noting(function, context, made), *arguments)
        except BaseException:
            if made and made[0].dropped:
                return None
            raise

    return fold


def _noting(function: UserCall, context: Context | None, made: list[Promise]) -> UserCall:
    """The function, after which it is known whether it has made a future."""

    def noted(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        finally:
            if context is not None and context.promise is not None:
                made.append(context.promise)

    return noted


def plain_call(function: UserCall, where: str, *arguments: Any) -> Any:
    """Call a function of a step that cannot wait; raises GearsError if it asks to."""
    context = current.get()
    if context is not None:
        context.step_waits = False
    try:
        value = function(*arguments)
    finally:
        leave_if_forked()
        if context is not None:
            context.step_waits = True
    if type(value) is CoroutineType:
        value.close()
        raise GearsError(f"coroutine are not allow on {where}")
    return value


def make_record() -> AsyncRecord:
    """What `gearsFuture()` does: at most once in a step, and only where a step may wait."""
    context = current.get()
    if coroutines.here:  # it is awaited there, and belongs to no step
        promise = Promise()
        promise.returned = True
        return AsyncRecord(promise)
    if context is None or (context.script is not None and context.wait is None):
        raise GearsError("Future object can only be created inside certain execution steps")
    if context.atomic_depth:
        raise GearsError("A future can not be created inside an atomic block")
    if not context.step_waits:
        raise GearsError("Step does not support async")
    if context.wait is None:
        raise GearsError("Creating async record is not allowed")
    if context.promise is not None:
        raise GearsError("Can not create async record twice on the same step")
    context.promise = Promise()
    return AsyncRecord(context.promise)


def waiting_in(execution: Execution, pool: Pool | None) -> Wait:
    """How an execution waits; an abort ends the wait.

    A job of `pool` leaves its place to others meanwhile.
    """

    def wait(future: Future[Any]) -> Any:
        with pool.blocked() if pool is not None else nullcontext():
            return future.result()

    return _abortable(execution, wait)


def waiting_on(execution: Execution, hub: Hub) -> Wait:
    """How an execution on the main thread waits: other functions go on meanwhile."""
    return _abortable(execution, hub.wait_for)


def _abortable(execution: Execution, wait_for: Wait) -> Wait:
    def wait(future: Future[Any]) -> Any:
        execution.waits_for = future
        try:
            return wait_for(future)
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
    context = current.get()
    if context is not None and context.atomic_depth:
        raise GearsError("Can not wait for an asynchronous result inside an atomic block")
    return wait(future)


def _refuse(coroutine: Coroutine[Any, Any, Any]) -> None:
    coroutine.close()
    raise GearsError("a sync function can not wait for an asynchronous result")


call_without_waiting = user_call(None)
"""How functions are called where nobody can wait."""

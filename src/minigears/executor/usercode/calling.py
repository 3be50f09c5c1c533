"""Calling user code: waiting for what it returns, and living with what it does."""

from __future__ import annotations

import asyncio
import cProfile
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import replace
from types import CoroutineType
from typing import Any

from minigears.executor.errors import (
    Abandoned,
    ForceStopped,
    GearsError,
    GearsFlatError,
    render,
)
from minigears.executor.flow.executions import Execution
from minigears.executor.flow.operations import Later
from minigears.executor.threads.hub import Hub
from minigears.executor.threads.pool import Pool
from minigears.executor.usercode.awaited import GearsFuture
from minigears.executor.usercode.context import Context, current, leave_if_forked
from minigears.executor.usercode.futures import AsyncRecord, Promise
from minigears.executor.usercode.log import write

UserCall = Callable[..., Any]

_NOT_ALLOWED = "Creating async record is not allowed"
_TWICE = "Can not create async record twice on the same step"


class Loop:
    """The asyncio loop that runs coroutines, in a thread of its own that starts when needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run `coroutine`, with the context variables of the caller."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def create_future(self) -> GearsFuture:
        """A future for coroutines to wait for."""
        return GearsFuture(loop=self._running())

    def give(self, future: GearsFuture, value: Any) -> None:
        """Give a future its value; from any thread."""
        future.get_loop().call_soon_threadsafe(future.set_result, value)

    def fail(self, future: GearsFuture, error: Exception) -> None:
        """Give a future the error that it raises; from any thread."""
        future.get_loop().call_soon_threadsafe(future.set_exception, error)

    @property
    def here(self) -> bool:
        """Whether this is the coroutines' thread."""
        return self._thread is not None and self._thread.ident == threading.get_ident()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
                self._loop.create_future = self.create_future  # type: ignore[method-assign]
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="minigears-coroutines", daemon=True
                )
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run it for ever: user code that ends it, by `sys.exit()` in a callback, say, ends nobody else's."""
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException as error:
            write(f"a callback of a future failed: {render(error)}", "warning")


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


def user_call(
    wait: Wait | None, profiler: Profiler | None = None, folding: bool = False
) -> UserCall:
    """How steps call user functions: `call(function, *arguments)` returns its value, or a `Later`.

    `wait` waits for what comes later; without it, user code may not return such. `folding` is how reducers are
    called: each waits for the one before it, whose value it takes. A future that they made and dropped is None,
    whatever they did.
    """

    def call(function: UserCall, *arguments: Any) -> Any:
        context = current.get()
        try:
            value = profiler.call(function, *arguments) if profiler else function(*arguments)
        except BaseException as error:
            if not (_given_up(context) and folding) or isinstance(error, ForceStopped):
                raise
            return None
        finally:
            leave_if_forked()
        kind = type(value)
        if context is not None and context.promise is not None:
            promise, context.promise = context.promise, None
            if kind is AsyncRecord and value.promise is promise:
                promise.returned = True
                value = None  # nobody but users may keep it, else none is ever dropped
                later = Later(_waiting_allowed(wait), promise.future)
                return later.result() if folding else later
            promise.discard()
            if kind is CoroutineType:
                value.close()
            if folding:
                return None
            if kind is CoroutineType:
                raise GearsError(_TWICE)
        if kind is CoroutineType:
            later = _started(wait, value)
            return later.result() if folding else later
        return value

    return call


def _given_up(context: Context | None) -> bool:
    """The step has failed: whether it made a future, for which nobody waits now."""
    if context is None or context.promise is None:
        return False
    promise, context.promise = context.promise, None
    promise.discard()
    return True


def plain_call(profiler: Profiler | None = None) -> UserCall:
    """How steps that cannot wait call: `call(function, where, *arguments)`.

    It raises GearsError or GearsFlatError if the function asks to wait.
    """

    def call(function: UserCall, where: str, *arguments: Any) -> Any:
        context = current.get()
        if context is not None:
            context.step_waits = False
        try:
            value = profiler.call(function, *arguments) if profiler else function(*arguments)
        finally:
            leave_if_forked()
            if context is not None:
                context.step_waits = True
        if type(value) is CoroutineType:
            value.close()
            raise GearsFlatError(f"coroutine are not allow on {where}")
        return value

    return call


def make_record() -> AsyncRecord:
    """What `gearsFuture()` does: at most once in a step, and only where a step may wait."""
    context = current.get()
    if coroutines.here or context is None or context.execution is None:
        raise GearsError("Future object can only be created inside certain execution steps")
    if context.atomic_depth:
        raise GearsError("A future can not be created inside an atomic block")
    if not context.step_waits:
        raise GearsError("Step does not support async")
    if context.wait is None:
        raise GearsError(_NOT_ALLOWED)
    if context.promise is not None:
        raise GearsError(_TWICE)
    context.promise = Promise()
    return AsyncRecord(context.promise)


def waiting_in(execution: Execution, pool: Pool | None) -> Wait:
    """How an execution waits; an abort ends the wait.

    A job of `pool` leaves its place to others meanwhile.
    """

    def wait(future: Future[Any]) -> Any:
        if (
            coroutines.here
        ):  # a hook's next one, say: who waits here keeps all coroutines from going on
            raise GearsError(_NOT_ALLOWED)
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
                execution.abandoned = execution.abort_asked
                raise (Abandoned if execution.abandoned else ForceStopped) from None
            raise
        finally:
            execution.waits_for = None

    return wait


def _started(wait: Wait | None, coroutine: Coroutine[Any, Any, Any]) -> Later:
    try:
        allowed = _waiting_allowed(wait)
    except GearsError:
        coroutine.close()
        raise
    return Later(allowed, copy_context().run(_start_apart, coroutine))


def _start_apart(coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
    """With a context of its own: the blocks that it enters concern nobody else."""
    context = current.get()
    if context is not None:
        current.set(replace(context))
    return coroutines.start(_told_plainly(coroutine))


async def _told_plainly(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it raises is told as RedisGears does: its text, without a traceback, which goes to the log."""
    try:
        return await coroutine
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:  # of SystemExit and its like asyncio would tell nobody
        write(f"a coroutine failed: {render(error)}", "debug")
        raise GearsFlatError(str(error)) from None


def _waiting_allowed(wait: Wait | None) -> Wait:
    if wait is None:
        raise GearsError(_NOT_ALLOWED)
    context = current.get()
    if context is not None and context.atomic_depth:
        raise GearsError("Can not wait for an asynchronous result inside an atomic block")
    return wait

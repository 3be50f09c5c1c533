"""Running a registration's flow: on the main thread, in the pool, or for a stream's batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from minigears.executor.errors import Abandoned, ForceStopped, GearsError, render
from minigears.executor.flow.executions import Execution
from minigears.executor.flow.operations import Run
from minigears.executor.flow.readers import Source
from minigears.executor.flow.steps import Step
from minigears.executor.redis.calls import Caller
from minigears.executor.redis.prefetch import Prefetch
from minigears.executor.script.registrations import Registration
from minigears.executor.streams import BatchFailed
from minigears.executor.usercode.calling import (
    Profiler,
    Wait,
    plain_call,
    user_call,
    waiting_in,
    waiting_on,
)
from minigears.executor.usercode.context import (
    CommandContext,
    Context,
    leave_if_forked,
    running,
)
from minigears.executor.usercode.log import write

if TYPE_CHECKING:
    from minigears.executor.gears import Gears
    from minigears.executor.script.registrations import Session

WhenDone = Callable[[Execution], None]


def run_here(
    gears: Gears,
    registration: Registration,
    records: Iterable[Any],
    caller: Caller,
    command: CommandContext | None = None,
    keep: bool = True,
    prefetch: Prefetch | None = None,
    may_wait: bool = True,
) -> Execution:
    """Run in this thread, to the end; on the main thread others go on while it waits."""
    wait: Wait | None = None
    execution = gears.executions.new(registration.steps, registration.id, keep)
    if may_wait:
        wait = waiting_on(execution, gears.hub) if gears.hub.here else waiting_in(execution, None)
    if wait is not None and not keep:
        wait = _listed(gears, execution, wait)
    context = Context(
        caller,
        registration.session,
        marked=registration.marked,
        settles=not registration.marked,
        wait=wait,
        command=command,
        prefetch=prefetch,
        execution=execution,
    )
    with running(context):
        run = _run(gears, registration, context)
        registration.stats.triggered += 1
        execution.begin()
        started = time.perf_counter()
        execution.results = run.results(registration.steps, records)
        execution.total_ms = (time.perf_counter() - started) * 1000
        execution.aborted = run.aborted
        if not keep:
            gears.executions.drop(execution)
        execution.finish(run.errors)
        _count(gears, registration, execution)
    return execution


def _listed(gears: Gears, execution: Execution, wait: Wait) -> Wait:
    """A run that is not kept is listed once it waits, so that it can be aborted."""

    def waiting(future: Future[Any]) -> Any:
        gears.executions.keep(execution)
        return wait(future)

    return waiting


def run_in_pool(
    gears: Gears,
    registration: Registration,
    records: Iterable[Any],
    when_done: WhenDone,
    command: CommandContext | None = None,
    keep: bool = True,
) -> None:
    """Run in a thread of the pool, then call `when_done` there, or where it is aborted before."""
    execution = gears.executions.new(registration.steps, registration.id)
    registration.stats.triggered += 1

    def ended(execution: Execution) -> None:
        if not keep:
            gears.executions.drop(execution)
        _count(gears, registration, execution)
        when_done(execution)

    execution.when_done(ended)

    def job() -> None:
        context = Context(
            gears.blocking,
            registration.session,
            marked=registration.marked,
            settles=True,
            wait=waiting_in(execution, gears.pool),
            command=command,
            execution=execution,
        )
        with running(context):
            execution.run(_run(gears, registration, context), records)

    if registration.spec.reader == "KeysReader":  # its events come in their order, as in RedisGears
        gears.pool.submit(job, registration.id, may_pass=True)
    else:
        gears.pool.submit(job, registration.id if registration.args.inorder else None)


def run_once(gears: Gears, session: Session, source: Source, steps: list[Step]) -> Execution:
    """Begin a run over what a reader reads, in a thread of the pool."""
    execution = gears.executions.new(steps)
    session.began(execution)

    def job() -> None:
        wait = waiting_in(execution, gears.pool)
        context = Context(gears.blocking, session, settles=True, wait=wait, execution=execution)
        profiler = session.profiler if gears.config.number("ProfileExecutions") else None
        with running(context):
            execution.run(_made(wait, profiler), _read(source, context))

    gears.pool.submit(job)
    return execution


def call_on_registered(registration: Registration, context: Context) -> None:
    """Call what `onRegistered` was given, if anything. What it raises is logged."""
    function = registration.on_registered
    if function is None:
        return
    with running(context):
        try:
            if type(value := function()) is CoroutineType:
                value.close()
                raise GearsError("Coroutines are not allow")
        except BaseException as error:
            write(f"onRegistered of {registration.id} failed: {render(error)}", "warning")
        finally:
            leave_if_forked()


def _read(source: Source, context: Context) -> Iterator[Any]:
    """The records; what reading them raises is an error of the run."""
    yield from source(context.caller)


def run_batch(gears: Gears, registration: Registration, records: list[dict[str, Any]]) -> None:
    """Run for a stream's batch, in its runner's thread.

    Raises BatchFailed, or for an abort Abandoned where it waited, else ForceStopped; the runner counts.
    """
    execution = gears.executions.new(registration.steps, registration.id)
    context = Context(
        gears.blocking,
        registration.session,
        wait=waiting_in(execution, None),
        execution=execution,
    )
    with running(context):
        execution.run(_run(gears, registration, context), records)
    gears.executions.ended(execution)
    if execution.aborted:
        raise Abandoned if execution.abandoned else ForceStopped
    if execution.errors:
        raise BatchFailed(execution.errors[0])


def _run(gears: Gears, registration: Registration, context: Context) -> Run:
    profiled = gears.config.number("ProfileExecutions")
    return _made(context.wait, registration.session.profiler if profiled else None)


def _made(wait: Wait | None, profiler: Profiler | None) -> Run:
    fold = user_call(wait, profiler, folding=True)
    return Run(user_call(wait, profiler), fold, plain_call(profiler))


def _count(gears: Gears, registration: Registration, execution: Execution) -> None:
    gears.executions.ended(execution)
    stats = registration.stats
    if execution.errors:
        stats.failed(execution.errors[0], execution.total_ms)
    elif execution.aborted:
        stats.was_aborted()
    else:
        stats.succeeded(execution.total_ms)

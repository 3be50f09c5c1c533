"""`RG.TRIGGER` and `RG.TRIGGERONKEY`: run a CommandReader registration."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from minigears.executor import replies
from minigears.executor.flow.executions import Execution
from minigears.executor.replies import CommandError
from minigears.executor.runs import run
from minigears.executor.runs.hooks import ONLY_SYNC
from minigears.executor.script.registrations import Registration
from minigears.executor.usercode.context import Context

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

_NOT_FOUND = "ERR subcommand not found"


def trigger(gears: Gears, words: list[bytes]) -> Any:
    """`RG.TRIGGER name argument …`."""
    return _start(gears, _find(gears, words), words)


def trigger_on_key(gears: Gears, words: list[bytes]) -> Any:
    """`RG.TRIGGERONKEY name key argument …`: the key is where a cluster looks for the shard."""
    return trigger(gears, words)


def trigger_in_multi(gears: Gears, words: list[bytes]) -> Any:
    """A trigger that was queued between MULTI and EXEC: it may not wait."""
    registration = _find(gears, words)
    if not registration.sync:
        raise CommandError(f"ERR {ONLY_SYNC}")
    return _start(gears, registration, words, may_wait=False)


def call_inside(gears: Gears, words: list[bytes], context: Context) -> Any:
    """A trigger called by user code: it runs there and then; raises CommandError."""
    registration = _find(gears, words)
    if not registration.sync:
        raise CommandError(f"ERR {ONLY_SYNC}")
    return _reply(run.run_here(gears, registration, (_record(words),), context.caller, keep=False))


def _start(
    gears: Gears, registration: Registration, words: list[bytes], may_wait: bool = True
) -> Future[Any]:
    reply: Future[Any] = Future()

    def finish(execution: Execution) -> None:
        try:
            reply.set_result(_reply(execution))
        except CommandError as error:
            reply.set_exception(error)

    def job() -> None:
        records = (_record(words),)
        finish(run.run_here(gears, registration, records, gears.hub, keep=False, may_wait=may_wait))

    if registration.sync:
        gears.hub.post(("trigger", registration.id), job)
    else:
        run.run_in_pool(gears, registration, (_record(words),), finish, keep=False)
    return reply


def _find(gears: Gears, words: list[bytes]) -> Registration:
    registration = gears.registry.trigger(words[0].decode("utf-8", "replace")) if words else None
    if registration is None:
        raise CommandError(_NOT_FOUND)
    return registration


def _record(words: list[bytes]) -> list[Any]:
    return [replies.to_text(word) for word in words]


def _reply(execution: Execution) -> list[Any]:
    if execution.errors:
        raise CommandError(execution.errors[0])
    return [replies.from_value(value) for value in execution.results]

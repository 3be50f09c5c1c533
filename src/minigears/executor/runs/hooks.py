"""Hooks: registrations that stand in front of a Redis command and answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from minigears.executor import replies
from minigears.executor.errors import GearsError
from minigears.executor.flow.executions import Execution
from minigears.executor.redis.calls import plain
from minigears.executor.redis.connection import RedisError
from minigears.executor.replies import CommandError, Error
from minigears.executor.runs import run
from minigears.executor.script.registrations import Registration
from minigears.executor.usercode.context import CommandContext, current

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

ONLY_SYNC = (
    "can not run a non-sync execution inside a MULTI/LUA (blocking is not allowed) or on loading."
)

Answer = Callable[[bytes], None]


def run_hooks(
    gears: Gears,
    hooks: Sequence[Registration],
    argv: list[bytes],
    user: bytes,
    answer: Answer,
    in_multi: bool = False,
) -> None:
    """Run the first hook; `call_next` in it runs the next one, and in the last the command.

    A hook may do what minigears may, but `call_next` runs what Redis lets the client's `user` run.
    `in_multi`: the client queued the command between MULTI and EXEC, where nothing may wait.
    """
    first, rest = hooks[0], hooks[1:]
    command = CommandContext(argv, call_next=lambda words: _call_next(gears, rest, words, user))

    def finish(execution: Execution) -> None:
        answer(replies.encode(_single(execution)))

    record = [replies.to_text(word) for word in argv]
    if first.sync:
        may_wait = not in_multi
        finish(
            run.run_here(gears, first, (record,), gears.hub, command, keep=False, may_wait=may_wait)
        )
    elif in_multi:
        answer(replies.encode(Error(f"ERR {ONLY_SYNC}")))
    else:
        run.run_in_pool(gears, first, (record,), finish, command, keep=False)


def call_inside(gears: Gears, hooks: Sequence[Registration], argv: list[bytes]) -> Any:
    """A hooked command called by user code: the hook runs there and then. Raises GearsError."""
    if not hooks[0].sync:
        raise GearsError(ONLY_SYNC)
    return _call_next(gears, hooks, argv, None)


def _call_next(
    gears: Gears, hooks: Sequence[Registration], argv: list[bytes], user: bytes | None
) -> Any:
    """Without a `user` it is a function that calls, which may do what minigears may."""
    context = current.get()
    assert context is not None
    form = gears.rules.form(argv, context.marked)
    if user is not None:
        asked = gears.rules.table.fitted(argv) if hooks else argv
        said = context.caller.call(plain([b"ACL", b"DRYRUN", user, *asked]))
        if isinstance(said, RedisError):
            return said
        if said != b"OK":
            return RedisError(f"NOPERM {said.decode(errors='replace')}")
    if not hooks:
        reply = context.caller.call(form)
        gears.settling.wait(context, argv)
        return reply
    rest = hooks[1:]
    command = CommandContext(argv, call_next=lambda words: _call_next(gears, rest, words, user))
    record = [replies.to_text(word) for word in argv]
    execution = run.run_here(gears, hooks[0], (record,), context.caller, command, keep=False)
    try:
        return replies.to_python(_single(execution))
    except CommandError as error:
        raise GearsError(f"{error}\r\n") from None


def _single(execution: Execution) -> Any:
    """A hook's reply: its one result, or its first error."""
    if execution.errors:
        return Error(execution.errors[0])
    if len(execution.results) != 1:
        return Error("Command hook must return exactly one result")
    return replies.from_value(execution.results[0])

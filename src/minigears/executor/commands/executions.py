"""Commands about executions: ask, abort, drop."""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minigears.executor.flow.executions import Execution
from minigears.executor.replies import OK, CommandError

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

_ABORT_SECONDS = 1.0
"""What stays in C code ends when it likes."""


def dump(gears: Gears, words: list[bytes]) -> Any:
    """`RG.DUMPEXECUTIONS`."""
    return [
        ["executionId", e.id, "status", e.status, "registered", int(e.registration is not None)]
        for e in gears.executions
    ]


def get(gears: Gears, words: list[bytes]) -> Any:
    """`RG.GETEXECUTION id [SHARD|CLUSTER]`."""
    execution = _find(gears, words[0])
    scope = words[1].upper() if len(words) > 1 else b"SHARD"
    if scope == b"CLUSTER":
        raise CommandError("no cluster detected - use `RG.GETEXECUTION <id> [SHARD]` instead")
    if scope != b"SHARD":
        raise CommandError("unknown subcommand")
    return execution.plan()


def results(gears: Gears, words: list[bytes]) -> Any:
    """`RG.GETRESULTS id`."""
    execution = _find(gears, words[0])
    if not execution.done:
        raise CommandError("execution is still running")
    return execution.reply()


def results_blocking(gears: Gears, words: list[bytes]) -> Any:
    """`RG.GETRESULTSBLOCKING id`."""
    reply: Future[Any] = Future()
    _find(gears, words[0]).when_done(lambda execution: reply.set_result(execution.reply()))
    return reply


def drop(gears: Gears, words: list[bytes]) -> Any:
    """`RG.DROPEXECUTION id`."""
    execution = _find(gears, words[0])
    if not (execution.done or execution.abort_asked):
        raise CommandError("can not drop a not yet finished execution, abort it first.")
    gears.executions.drop(execution)
    return OK


def abort(gears: Gears, words: list[bytes]) -> Any:
    """`RG.ABORTEXECUTION id`: the reply comes when it has ended, or will not end so soon."""
    reply: Future[Any] = Future()
    late = threading.Timer(_ABORT_SECONDS, _settle, (reply,))
    late.daemon = True
    late.start()

    def ended(execution: Execution) -> None:
        late.cancel()
        _settle(reply)

    _abort(gears, words).when_done(ended)
    return reply


def abort_inside(gears: Gears, words: list[bytes]) -> Any:
    """`RG.ABORTEXECUTION` called by user code, which may be what it aborts."""
    _abort(gears, words)
    return OK


def _abort(gears: Gears, words: list[bytes]) -> Execution:
    execution = gears.executions.get(words[0].decode("utf-8", "replace"))
    if execution is None:
        raise CommandError("execution does not exist")
    execution.abort()
    return execution


def _settle(reply: Future[Any]) -> None:
    with suppress(InvalidStateError):  # both at once
        reply.set_result(OK)


def _find(gears: Gears, word: bytes) -> Execution:
    execution = gears.executions.get(word.decode("utf-8", "replace"))
    if execution is None:
        raise CommandError("execution plan does not exist")
    return execution

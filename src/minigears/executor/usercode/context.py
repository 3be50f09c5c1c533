"""What is running here and now: set around user code, read by the calls that user code makes.

A context variable carries it, so every greenlet, thread and coroutine sees its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future

    from minigears.executor.flow.steps import Step
    from minigears.executor.redis.calls import Caller
    from minigears.executor.redis.prefetch import Prefetch
    from minigears.executor.usercode.futures import Promise

UNSET = object()
OVERRIDDEN = object()
"""A function that ran before for the same command has set the reply."""


class Asked(Protocol):
    """Takes what a builder asks for."""

    def builder_made(self) -> None:
        """Every builder uses one id up."""

    def request_run(
        self, reader: str, steps: Sequence[Step], arg: Any, options: Mapping[str, Any]
    ) -> Any:
        """Run a flow once."""

    def request_registration(
        self, reader: str, desc: str | None, steps: Sequence[Step], options: Mapping[str, Any]
    ) -> str:
        """Run a flow for every event."""


@dataclass
class CommandContext:
    """A client's command that a function stands in front of, or whose reply it may change."""

    argv: list[bytes]
    reply: Any = UNSET
    """What `override_reply` was given."""
    call_next: Callable[[list[bytes]], Any] | None = None
    """For a hook: runs the next hook, or the command itself, and returns its reply."""


@dataclass(slots=True)
class Context:
    """One piece of running user code."""

    caller: Caller
    """How its `execute` reaches Redis."""
    session: object = None
    """The `Session` that it acts for, if any; nothing down here looks inside."""
    marked: bool = False
    """Its own writes raise no KeysReader events."""
    settles: bool = False
    """Its calls return when the `sync` functions that they cause are done."""
    wait: Callable[[Future[Any]], Any] | None = None
    """Waits for a coroutine or a `gearsFuture`; None where it is not allowed."""
    command: CommandContext | None = None
    script: Asked | None = None
    """The script that runs, while `run` and `register` are allowed."""
    atomic_depth: int = 0
    promise: Promise | None = None
    """Of the future that the step which runs now has made."""
    step_waits: bool = True
    """Whether the step that runs now can wait for a future."""
    prefetch: Prefetch | None = None
    """What was read ahead for it."""
    execution: object = None
    """The `Execution` that it is part of, if any."""


@dataclass(frozen=True)
class Acting:
    """What a function hands to its threads and coroutines: for whom they act."""

    session: object
    command: CommandContext | None
    """The client's command, if a function of a hook or of `commands=[…]` began them."""

    def __str__(self) -> str:
        return "PyExecutionSession"


current: ContextVar[Context | None] = ContextVar("minigears_context", default=None)


class Gate(Protocol):
    """What keeps other functions out during `atomic()`."""

    @property
    def depth(self) -> int:
        """How many blocks this thread is in."""

    def unwind(self, depth: int) -> None:
        """End the blocks beyond so many."""


_gate: Gate


def install(gate: Gate) -> None:
    """Let `running` end blocks of this gate."""
    global _gate
    _gate = gate


class running:
    """Around user code: what it calls acts in `context`, and blocks that it has not left end.

    Made from a generator it would take half a microsecond more, for each event.
    """

    __slots__ = ("_blocks", "_context", "_token")

    def __init__(self, context: Context):
        self._context = context

    def __enter__(self) -> None:
        self._blocks = _gate.depth
        self._token = current.set(self._context)

    def __exit__(self, *error: object) -> None:
        current.reset(self._token)
        _gate.unwind(self._blocks)


forked = False
"""Whether this is a child that user code forked: our loops have one owner, so it must end."""


def _in_child() -> None:
    global forked
    forked = True


os.register_at_fork(after_in_child=_in_child)


def leave_if_forked() -> None:
    """End the process if it is a child that user code forked."""
    if forked:
        os._exit(0)

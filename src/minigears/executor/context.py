"""What is running here and now: set around user code, read by the calls that user code makes.

A context variable carries it, so every greenlet, thread and coroutine sees its own.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minigears.executor.builder import Script
    from minigears.executor.calls import Caller
    from minigears.executor.sessions import Session

UNSET = object()


@dataclass
class CommandContext:
    """A client's command that a function stands in front of, or whose reply it may change."""

    argv: list[bytes]
    reply: Any = UNSET
    """What `override_reply` was given."""


@dataclass
class Context:
    """One piece of running user code."""

    caller: Caller
    """How its `execute` reaches Redis."""
    session: Session | None = None
    sync: bool = False
    """Its own writes raise no KeysReader events, and it may not wait for coroutines."""
    command: CommandContext | None = None
    script: Script | None = None
    """The script that runs, while `run` and `register` are allowed."""
    atomic_depth: int = 0


current: ContextVar[Context | None] = ContextVar("minigears_context", default=None)

_forked = False


def _in_child() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_in_child)


def leave_if_forked() -> None:
    """End the process if user code forked and this is the child: our loops have one owner."""
    if _forked:
        os._exit(0)

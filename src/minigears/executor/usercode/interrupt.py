"""Stopping a function on the main thread.

There many functions take turns, so an exception sent to the thread could hit another one, or our own
code. A signal makes Python look there, between two instructions, at what runs: the function that is
to stop raises `gears.forcestopped`, if its own code runs just then. If not, we look again soon.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from minigears.executor.errors import ForceStopped
from minigears.executor.usercode.context import Context, current

_SIGNAL = signal.SIGUSR1
_SOON = 0.01  # seconds
_OURS = str(Path(__file__).resolve().parents[2])
_CALLS = (str(Path(__file__).resolve().with_name("calling.py")), "call")
"""The functions that call those of users."""

_asked: set[object] = set()


def install() -> None:
    """Called once, by the main thread."""
    signal.signal(_SIGNAL, _look)


def stop(execution: object) -> None:
    """Stop one that runs on the main thread; from any thread."""
    _asked.add(execution)
    _send()


def ended(execution: object) -> None:
    """It need not be stopped any more."""
    _asked.discard(execution)


def stop_if_asked(context: Context) -> None:
    """Raise ForceStopped where user code may be stopped without a look from outside."""
    if _asked and context.execution in _asked:
        _asked.discard(context.execution)
        raise ForceStopped


def _send() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, _SIGNAL)


def _look(number: int, frame: FrameType | None) -> Any:
    context = current.get()
    if context is not None and _in_user_code(frame):
        stop_if_asked(context)
    if _asked:
        again = threading.Timer(_SOON, _send)
        again.daemon = True
        again.start()


def _in_user_code(frame: FrameType | None) -> bool:
    """Whether what called this frame is a function of users, with nothing of ours in between."""
    while frame is not None and not frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame is not None and (frame.f_code.co_filename, frame.f_code.co_name) == _CALLS

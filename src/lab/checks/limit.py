"""A limit for what a learner has written: a loop that never ends must not hang the notebook."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

_ATTEMPTS = 20  # times; a bare `except` in a loop may catch what should stop it
_GRACE = 0.1  # seconds for a thread to end after each


class Endless(Exception):
    """A call has not come back in time."""


class _Stop(BaseException):
    """Raised inside a call that takes too long."""


def within(seconds: float, function: Callable[..., Any], *given: Any) -> Any:
    """Return what a function returns, and raise what it raises. Raises Endless after so many seconds.

    Then it is stopped, unless it waits in C code: that ends by itself, or with the kernel.
    A KeyboardInterrupt stops it, too.
    """
    returned: list[Any] = []
    raised: list[BaseException] = []

    def call() -> None:
        try:
            returned.append(function(*given))
        except BaseException as problem:
            raised.append(problem)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:
        is_late = _stopped(thread)
    if is_late:
        raise Endless
    if raised:
        raise raised[0]
    return returned[0]


def _stopped(thread: threading.Thread) -> bool:
    """End a thread that still runs; tell whether it did."""
    is_late = thread.is_alive()
    for _ in range(_ATTEMPTS):
        if not thread.is_alive():
            break
        identity = ctypes.c_ulong(thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Stop))
        thread.join(_GRACE)
    return is_late

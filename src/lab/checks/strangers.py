"""Servers that are none, for functions that are to tell them from one; and a limit for whoever waits for them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from lab.checks.exercise import Wrong
from lab.checks.limit import Endless, within
from lab.stack.ports import LOOPBACK

PATIENCE = 5.0
"""Seconds after which a call counts as one that never ends; the tasks allow 3 or 4."""


def answer_in_time(function: Callable[..., Any], *given: Any, case: str, raised: str) -> Any:
    """Return the learner's answer. Raises Wrong when the function raises, or has none in time.

    `case` completes "For ... your function", and `raised` tells what an exception misses.
    """
    try:
        return within(PATIENCE, function, *given)
    except Endless:
        raise Wrong(
            f"For {case} your function had no answer after {PATIENCE:.0f} s. "
            "Give the connection and the reply a time limit, and do not let the client try again."
        ) from None
    except (Exception, SystemExit) as problem:
        told = f"{type(problem).__name__}: {problem}"
        raise Wrong(f"For {case} your function raised `{told}`. {raised}") from None


@contextlib.contextmanager
def bound() -> Iterator[socket.socket]:
    """Hold a free port, at which nobody listens."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        yield server


@contextlib.contextmanager
def serving(reply: bytes) -> Iterator[int]:
    """Answer whatever comes with `reply`, or take connections and say nothing. Yields the port."""
    with socket.create_server((LOOPBACK, 0)) as server:
        open_ones: list[socket.socket] = []

        def answer(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while connection.recv(65536):
                    connection.sendall(reply)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    open_ones.append(connection)
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            for connection in list(open_ones):
                connection.close()

"""Connections whose server went without a word, and the one thread that gives them up.

libpq waits for an answer for ever, and no setting of a server helps against a server that is frozen. A timer
for each transaction would be a thread for each.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import Connection

LOOKS_EVERY = 1.0
"""Seconds: so much later than asked for a connection may be given up."""


class Watch:
    """Hangs up connections that are still waited for when their time is over. Threads may share it."""

    def __init__(self) -> None:
        self._until: dict[Connection[Any], float] = {}
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, connection: Connection[Any], seconds: float) -> None:
        """Give the connection up unless it ends within so many seconds."""
        self._until[connection] = time.monotonic() + seconds
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():  # a forked child has none
                    self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
                    self._thread.start()

    def end(self, connection: Connection[Any]) -> None:
        """It has been answered, or has failed."""
        self._until.pop(connection, None)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _look(self) -> None:
        while not self._closed.wait(LOOKS_EVERY):
            now = time.monotonic()
            for connection, until in self._until.copy().items():
                if until < now:
                    _hang_up(connection)


def _hang_up(connection: Connection[Any]) -> None:
    """Let whoever waits for an answer on a connection see it closed."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)

"""SIGTERM and Ctrl-C end a worker in good order."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stops_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` once a signal asks for the end of this process, from a thread of its own.

    Not from the handler: that runs in the middle of whatever the main thread does, which may hold the
    lock of the very event that is to be set, and then neither goes on.
    """
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)

    def wait() -> None:
        if ours.recv(1):
            stop()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        pythons.close()

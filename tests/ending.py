"""How a program of ours ends that has started servers: in order, also when `kill` or `make` asks it to."""

from __future__ import annotations

import signal
import sys


def end_in_order() -> None:
    """Let SIGTERM end this program through its `finally`, as Ctrl-C does: those end its servers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

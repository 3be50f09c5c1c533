"""How the lab talks: short lines, and a sign of life when something takes long."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

_SLOW = 1.5  # seconds before a wait that shows nothing is worth a line


def say(text: str) -> None:
    """Print one line for the learner."""
    print(text, flush=True)


@contextlib.contextmanager
def progress(text: str) -> Iterator[None]:
    """Show that a long step runs: a spinner in a terminal, elsewhere a line once it is slow."""
    if sys.stdout.isatty():
        with Console().status(Text(text + " …")):
            yield
        return
    timer = threading.Timer(_SLOW, say, [text + " …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

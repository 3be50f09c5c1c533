"""The worker of recipes/streams as a child of the app: it ends when the app does, however it does.

The app holds the other end of its standard input, so the end of that input is the end of the app.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

_ENDS_WITHIN = 15.0  # seconds in which a worker finishes its batch


def start(options: Sequence[str], log: Path | None) -> subprocess.Popen[bytes]:
    """Start a worker with options of `python -m recipes.streams worker`.

    What it says is added to the file `log`; without one it goes to standard error.
    """
    words = [sys.executable, "-m", "movieapp.writing.worker", "worker", *options]
    with log.open("ab") if log else nullcontext() as into:
        # A session of its own: Ctrl-C ends the app, which then ends the worker in order.
        return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=into, start_new_session=True)


def end(worker: subprocess.Popen[bytes]) -> None:
    """Ask a worker to finish its batch and end; wait until it has."""
    worker.terminate()
    try:
        worker.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    if worker.stdin:
        worker.stdin.close()


def main() -> None:
    """Run the recipe's command until it is told to end, or the app is gone."""
    from recipes.streams.cli import main as recipe

    def watch() -> None:
        while os.read(0, 100):  # not sys.stdin, which a thread must not hold when Python ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    recipe()


if __name__ == "__main__":
    main()

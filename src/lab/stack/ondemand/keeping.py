"""The process of a `Keeper`: ends servers and deletes their data once nobody holds its pipe any more.

It is run as a file and imports nothing of this package, so it is there at once and needs little.
SIGTERM (`lab down`) ends its input as the death of the kernel does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path


def main(folder: str, lines: Iterable[str]) -> None:
    """Take processes in until the input ends; then end them, and delete the folder."""
    held = [handle for line in lines if (handle := _handle(int(line))) is not None]
    for handle in held:
        with contextlib.suppress(OSError):
            _kill(handle)
    # What is being ended may still write for a moment.
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return
        time.sleep(0.05)


def end_of_input(*_: object) -> None:
    """Let the next read of standard input find its end; one that waits is tried again after a signal."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _handle(pid: int) -> int | None:
    """What names this process and no later one with its number, where the system offers that."""
    if not hasattr(os, "pidfd_open"):
        return pid
    with contextlib.suppress(OSError):
        return os.pidfd_open(pid)
    return None


def _kill(handle: int) -> None:
    if hasattr(os, "pidfd_open"):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    else:
        os.kill(handle, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_of_input)
    main(sys.argv[1], sys.stdin)

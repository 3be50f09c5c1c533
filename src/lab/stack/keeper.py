"""Ends servers and deletes their data once the kernel that started them is gone, however it went.

An orderly end runs `atexit`; a kernel that is killed runs nothing. So a small process of its own
holds one end of a pipe: it reads the end of the file when the kernel has ended. It imports nothing
of this package, so it is there at once and needs little.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path


class Keeper:
    """Watches over the servers of one folder."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # interrupting a cell does not end it
        )

    def keep(self, pid: int) -> None:
        """Take a process in, which is a child of ours. It is killed (SIGKILL) if this process ends."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed it: what is left is `atexit`
            self._process.stdin.write(b"%d\n" % pid)
            self._process.stdin.flush()

    def close(self) -> None:
        """End what it keeps, delete the folder, and wait until that is done."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def main(folder: str, lines: Iterable[str]) -> None:
    """Take processes in until the file ends; then end them, and delete the folder."""
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
    main(sys.argv[1], sys.stdin)

"""What a notebook starts beside the stack ends with its kernel, however that went, and with `lab down`.

An orderly end runs `atexit`; a kernel that is killed runs nothing. So a small process of its own
(`keeping.py`) holds one end of a pipe: it reads the end of the file when the kernel has ended.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from lab import paths
from lab.stack.embedded import processes

_MARK = "LAB_BESIDE"
"""Names the folder of the stack beside which a keeper keeps something: by it `end_all` finds it."""

_ENDS_WITHIN = 30.0  # seconds


class Keeper:
    """Watches over the servers of one folder; `title` says what they are together."""

    def __init__(self, folder: Path, title: str) -> None:
        marks = {_MARK: str(paths.home()), processes.SERVICE_MARK: title}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeping.py")), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **marks},
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


def end_all(home: Path) -> list[str]:
    """End all that was started beside a stack, whoever did; return the titles."""
    keepers = processes.marked(home, mark=_MARK)
    titles = sorted(processes.service_of(keeper) for keeper in keepers)
    processes.end_all(keepers, _ENDS_WITHIN)
    return titles

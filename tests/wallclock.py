"""A wall clock that steps: one process sees another time than the machine, and it may change meanwhile."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

from tests.programs import left_out

_SOURCE = Path(__file__).with_suffix(".c")


def steppable() -> bool:
    """Whether clocks can step on this machine: there is a C compiler."""
    return shutil.which("cc") is not None


def needs_steppable_clocks() -> None:
    """Leave a test out where clocks cannot step."""
    if not steppable():
        left_out("no C compiler, so clocks do not step")


class WallClock:
    """The wall clock of each process that is started with `environment`, and of no other.

    What those processes wait for, and their monotonic clocks, are as ever.
    """

    def __init__(self, folder: Path, name: str):
        """Make it right. Files go into the folder, which every process has to be able to read."""
        self._file = folder / f"{name}.clock"
        self._file.touch()
        self.step(0)
        self.variables = {"LD_PRELOAD": str(_library(folder)), "WALLCLOCK_FILE": str(self._file)}
        """What a process is started with to have it."""

    @property
    def environment(self) -> dict[str, str]:
        """Our own environment, with these variables."""
        return os.environ | self.variables

    def step(self, seconds: float) -> None:
        """Be so far ahead of the machine's clock from now on; negative: behind."""
        self.ahead = seconds
        with self._file.open("r+b") as file:  # in its place: processes have mapped it
            file.write(struct.pack("=q", round(seconds * 1e9)))


def _library(folder: Path) -> Path:
    made = folder / "wallclock.so"
    if not made.exists():
        words = ["cc", "-shared", "-fPIC", "-O2", "-o", str(made), str(_SOURCE), "-ldl"]
        subprocess.run(words, check=True)
    return made

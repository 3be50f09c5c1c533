"""The command `gears-cli` of this environment.

gears-cli wants a redis-py below 5, the notebooks teach a newer one. So it lives in an environment
of its own inside the cache, made once, at set-up or at first use.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import filelock

from lab import environment, paths
from lab.errors import LabError
from lab.report import progress

REQUIREMENTS = ("gears-cli==1.2.0", "redis==4.6.0", "click==8.1.8")


def main() -> None:
    """Run gears-cli with the words of the command line."""
    try:
        command = ensure()
    except LabError as problem:
        print(problem, file=sys.stderr)
        raise SystemExit(1) from None
    os.execv(command, [str(command), *sys.argv[1:]])


def ensure() -> Path:
    """Return gears-cli, after installing it if it is not there yet.

    It is installed anew when its folder was moved, its Python is gone or the versions changed.
    Raises LabError when the package index cannot be reached.
    """
    folder = paths.cache() / "gears-cli"
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    made = folder / "complete"
    expected = "\n".join([str(folder), *REQUIREMENTS])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        usable = (
            made.exists()
            and made.read_text(encoding="utf-8") == expected
            and (programs / "python").exists()
        )
        if not usable:
            with progress("Installing gears-cli into an environment of its own (once)", aside=True):
                _install(folder)
            made.write_text(expected, encoding="utf-8")
    return programs / "gears-cli"


def _install(folder: Path) -> None:
    import uv

    program = uv.find_uv_bin()
    for words in (
        [program, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [program, "pip", "install", "--quiet", "--python", str(folder), *REQUIREMENTS],
    ):
        settings = environment.isolated(os.environ, paths.cache())
        done = subprocess.run(words, capture_output=True, text=True, env=settings)
        if done.returncode:
            raise LabError(
                f"gears-cli could not be installed:\n{done.stderr.strip()}\n"
                "Check the network, then run `lab gears-cli --help` to try again."
            )

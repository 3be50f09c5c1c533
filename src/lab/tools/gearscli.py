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

from lab import command, environment, paths
from lab.errors import LabError
from lab.report import progress

REQUIREMENTS = ("gears-cli==1.2.0", "redis==4.6.0", "click==8.1.8")

_MADE = "complete"  # the file that is written last


def main() -> None:
    """Run gears-cli with the words of the command line."""
    try:
        program = ensure()
    except LabError as problem:
        print(problem, file=sys.stderr)
        raise SystemExit(1) from None
    os.execve(program, [str(program), *sys.argv[1:]], environment.clean(os.environ))


def ensure() -> Path:
    """Return gears-cli, after installing it if it is not there yet.

    It is installed anew when its folder was moved, its Python is gone or the versions changed.
    Raises LabError when the package index cannot be reached.
    """
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        if not is_installed():
            with progress("Installing gears-cli into an environment of its own (once)", aside=True):
                _install(folder)
            (folder / _MADE).write_text(_expected(folder), encoding="utf-8")
    return _programs(folder) / "gears-cli"


def is_installed() -> bool:
    """Tell whether gears-cli is there, in the right versions, and would run."""
    folder = _folder()
    try:
        made = (folder / _MADE).read_text(encoding="utf-8")
    except OSError:
        return False
    return made == _expected(folder) and os.access(_programs(folder) / "python", os.X_OK)


def _folder() -> Path:
    return paths.cache() / "gears-cli"


def _programs(folder: Path) -> Path:
    return folder / ("Scripts" if sys.platform == "win32" else "bin")


def _expected(folder: Path) -> str:
    return "\n".join([str(folder), *REQUIREMENTS])


def _install(folder: Path) -> None:
    import uv

    program = uv.find_uv_bin()
    for words in (
        [program, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [program, "pip", "install", "--quiet", "--python", str(folder), *REQUIREMENTS],
    ):
        settings = environment.isolated(os.environ, paths.cache())
        done = subprocess.run(
            words, capture_output=True, encoding="utf-8", errors="replace", env=settings
        )
        if done.returncode:
            raise LabError(
                f"gears-cli could not be installed:\n{done.stderr.strip()}\n"
                f"Check the network, then try again: {command.line('fetch')}"
            )

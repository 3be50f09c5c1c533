"""`lab.sh`: run the line that a reader would type in a terminal."""

from __future__ import annotations

import os
import signal
import subprocess

from lab import paths
from lab.errors import CommandFailed
from lab.report import say
from lab.stack.gears import COULD_NOT_SATISFY, packages_missing
from lab.stack.lifecycle import current, fit_to_print


class Output(str):
    """What a line printed. A notebook does not show it again at the end of a cell."""

    def _ipython_display_(self) -> None: ...


def sh(command: str, timeout: float = 120.0) -> Output:
    """Run a line in bash, print it (without a password) and what it says, and return its output.

    The line runs in the repository's folder, as the README's lines do, with this environment's
    commands on the PATH; redis-cli shows its terminal look, and no bar moves. Raises CommandFailed when it ends with an
    error, takes longer than `timeout` seconds, or registers a script whose packages are not to be had.
    """
    shown = fit_to_print(command)
    say(f"$ {shown}")
    path = os.pathsep.join([str(paths.scripts()), os.environ.get("PATH", "")])
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=paths.root(),
        env={**os.environ, "PATH": path, "FAKETTY": "1", "TTY_INTERACTIVE": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise CommandFailed(f"{shown}\ntook longer than {timeout:g} s\n{out}{err}") from None
    if COULD_NOT_SATISFY in out + err:
        raise CommandFailed(f"{shown}\n{packages_missing(current(), command)}")
    if out.strip():
        say(out.rstrip("\n"))
    if process.returncode:
        raise CommandFailed(f"{shown}\nended with status {process.returncode}\n{err}".rstrip())
    if err.strip():
        say(err.rstrip("\n"))
    return Output(out)

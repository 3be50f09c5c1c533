"""`lab notebook`: the stack, then JupyterLab on the first notebook."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from lab import lifecycle, paths

FIRST = "00_start_here.ipynb"
_SETTINGS = Path(__file__).parent / "jupyter"
"""With these JupyterLab fetches no news, nor asks the learner whether it may."""


def run(*, stop_stack: bool, port: int | None) -> int:
    """Run JupyterLab until it ends or is interrupted, and return its exit status."""
    stack = lifecycle.up()
    click.echo(stack.status())
    words = [sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir", str(paths.root())]
    words += ["--LabApp.default_url", f"/lab/tree/notebooks/{FIRST}"]
    if port:
        words += ["--ServerApp.port", str(port)]
    if sys.platform != "win32" and os.geteuid() == 0:
        words.append("--allow-root")  # usual in a container; it listens on loopback, with a token
    if not has_display():
        words.append("--no-browser")
        click.echo("There is no display here: open the URL that JupyterLab prints below.")
    path = os.pathsep.join([str(paths.scripts()), os.environ.get("PATH", "")])
    settings = os.pathsep.join(
        filter(None, [str(_SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")])
    )
    env = {**_folders(), **os.environ, "PATH": path, "JUPYTER_CONFIG_PATH": settings}
    jupyter = subprocess.Popen(words, env=env, start_new_session=True)
    try:
        status = _wait(jupyter)
    finally:
        if jupyter.poll() is None:
            jupyter.kill()
    if stop_stack:
        lifecycle.down()
    elif lifecycle.status().running:
        click.echo("JupyterLab has stopped. The stack still runs; stop it with: lab down")
    return status


def _folders() -> dict[str, str]:
    """Return where Jupyter and what runs in it write, so that nothing goes to the learner's home."""
    folders = {
        "JUPYTER_CONFIG_DIR": "jupyter/config",
        "JUPYTER_DATA_DIR": "jupyter/data",
        "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
        "npm_config_cache": "npm",  # JupyterLab asks npm, where there is one, for language servers
    }
    return {name: str(paths.cache() / folder) for name, folder in folders.items()}


def _wait(jupyter: subprocess.Popen[bytes]) -> int:
    """Wait for JupyterLab; pass Ctrl-C and SIGTERM on as the one signal that it does not question.

    JupyterLab asks "Shut down? (y/n)" on Ctrl-C, but not on SIGTERM.
    """
    asked = False

    def end(*_: object) -> None:
        nonlocal asked
        asked = True
        jupyter.terminate()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = jupyter.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if asked else status


def has_display() -> bool:
    """Tell whether a browser could open here."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

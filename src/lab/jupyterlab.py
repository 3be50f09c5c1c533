"""`lab notebook`: the stack, then JupyterLab on the first notebook."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click

from lab import command, environment, paths
from lab.course import restoring
from lab.stack import lifecycle, ports

FIRST = "00_start_here.ipynb"
SETTINGS = Path(__file__).parent / "jupyter"
"""What JupyterLab is told: no news, a tour in the menu Help, the time of each cell."""


def run(*, stop_stack: bool, port: int | None) -> int:
    """Run JupyterLab until it ends or is interrupted, and return its exit status.

    One that runs in this folder already is opened again, unless another `port` is asked for.
    """
    stack = lifecycle.up()
    restoring.keep_originals()
    click.echo(stack.status())
    if (known := _running()) and port in (None, known["port"]):
        return _open_again(known)
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
    settings = os.pathsep.join(filter(None, [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")]))
    env = {**environment.clean(os.environ), **_folders_in_use()}
    env |= {"PATH": path, "JUPYTER_CONFIG_PATH": settings}
    _open_contents(Path(env["JUPYTER_CONFIG_DIR"], "lab", "workspaces"))
    jupyter = subprocess.Popen(words, env=env, start_new_session=True)
    try:
        status = _wait(jupyter)
    finally:
        if jupyter.poll() is None:
            jupyter.kill()
    if stop_stack:
        lifecycle.down()
    elif lifecycle.status().running:
        stop = command.line("down")
        click.echo(f"JupyterLab has stopped. The stack still runs; stop it with: {stop}")
    return status


def _open_contents(workspaces: Path) -> None:
    """Show the table of contents at the first start; from then on JupyterLab remembers by itself.

    Only in the course's own folder: a learner's own JupyterLab is as the learner left it.
    """
    if paths.cache() not in workspaces.parents or workspaces.exists():
        return
    from jupyterlab_server.workspaces_handler import WorkspacesManager  # takes a second

    first = (SETTINGS / "first_workspace.json").read_text(encoding="utf-8")
    WorkspacesManager(str(workspaces)).save("default", first)


def _running() -> dict[str, Any] | None:
    """Return what JupyterLab wrote down of the server that runs in this folder, if one does."""
    folder = Path(_folders_in_use()["JUPYTER_RUNTIME_DIR"])
    if not any(folder.glob("jpserver-*.json")):
        return None
    from jupyter_server.serverapp import list_running_servers  # takes seconds

    for server in list_running_servers(str(folder)):
        here = Path(server["root_dir"]).resolve() == paths.root()
        if here and not ports.is_free(server["port"]):
            return dict(server)
    return None


def _open_again(server: dict[str, Any]) -> int:
    token = f"?token={server['token']}" if server["token"] else ""
    url = f"{server['url']}lab/tree/notebooks/{FIRST}{token}"
    click.echo(f"JupyterLab runs here already (process {server['pid']}). Open it: {url}")
    click.echo("A second one beside it: lab notebook --port 8899")
    if has_display():
        webbrowser.open(url)
    return 0


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


def _folders_in_use() -> dict[str, str]:
    """Return the same, but for those that the environment names."""
    return {name: os.environ.get(name) or folder for name, folder in _folders().items()}


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

"""Windows onto the stores without Docker: `lab insight` for Redis, `lab mongo-admin` for MongoDB.

Each is a program of others in a folder of its own in the cache, installed at first use. It listens on
loopback, runs until Ctrl-C, and ends by itself when the stack does.
"""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import click
import filelock
import psutil

from lab import environment, paths
from lab.errors import LabError, Unsupported
from lab.jupyterlab import has_display
from lab.report import progress
from lab.stack import lifecycle, ports

COMMANDER = "redis-commander@0.9.0"
_ADMIN = ("fastapi", "starlette", "uvicorn", "jinja2", "httpx", "python-multipart", "setproctitle")
_STARTS, LOOKS = 60.0, 1.0  # seconds


def insight(port: int, open_browser: bool) -> None:
    """Show Redis's keys, JSON and streams in redis-commander, which changes nothing.

    Raises Unsupported where there is no Node with npm, LabError when it cannot be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise Unsupported(
            "There is no Node with npm here, which runs redis-commander. Install Node."
        )
    stack = lifecycle.up()
    folder = paths.cache() / "redis-commander"
    words = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
    env = {"npm_config_cache": str(paths.cache() / "npm")}
    _install(folder, COMMANDER, [[*words, COMMANDER]], env)
    redis = urlsplit(stack.redis_direct_url)
    program = folder / "node_modules" / "redis-commander" / "bin" / "redis-commander.js"
    # Read-only, and no list of connections: a stranger's page that reached it could do nothing.
    words = [node, str(program), "--address", ports.LOOPBACK, "--port", str(port), "--read-only"]
    words += ["--noload", "--nosave", "--no-log-data", "--redis-label", "lab"]
    words += [
        "--redis-host",
        redis.hostname or ports.LOOPBACK,
        "--redis-port",
        str(redis.port or 6379),
    ]
    url = f"http://{ports.LOOPBACK}:{port}/"
    _show(
        "redis-commander",
        words,
        folder,
        url,
        url,
        open_browser,
        {"REDIS_PASSWORD": redis.password or ""},
    )


def mongo_admin(port: int, open_browser: bool) -> None:
    """Show MongoDB's databases in SecantusDB's own admin pages.

    Raises Unsupported on a stack without SecantusDB, LabError when they cannot be installed.
    """
    stack = lifecycle.up()
    if stack.kind != "embedded":
        raise Unsupported(
            f"The admin pages are SecantusDB's, of the embedded stack; this is {stack.kind}."
        )
    import uv

    folder = paths.cache() / "mongo-admin"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    server = f"secantusdb=={importlib.metadata.version('secantusdb')}"
    made = [uv.find_uv_bin(), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
    brought = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(folder),
        server,
        *_ADMIN,
    ]
    env = environment.isolated(os.environ, paths.cache())
    _install(folder, f"{sys.executable} {server}", [made, brought], env)
    token = _token(paths.home() / "mongo-admin-token")
    words = [str(python), "-m", "secantus.admin", "--no-window", "--port", str(port)]
    words += ["--uri", stack.mongo_url, "--token-path", str(paths.home() / "mongo-admin-token")]
    url = f"http://{ports.LOOPBACK}:{port}/"
    _show(
        "SecantusDB's admin pages",
        words,
        folder,
        f"{url}healthz",
        f"{url}?t={token}",
        open_browser,
        {},
    )


def _token(file: Path) -> str:
    """Return the token of the admin pages, made at first use and readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with os.fdopen(
            os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8"
        ) as out:
            out.write(secrets.token_urlsafe(32))
    return file.read_text(encoding="utf-8").strip()


def _install(
    folder: Path, version: str, steps: Sequence[Sequence[str]], env: Mapping[str, str]
) -> None:
    """Run the steps unless this version is there. Raises LabError with what they said."""
    made = folder / "lab-version"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        if made.exists() and made.read_text(encoding="utf-8") == version:
            return
        shutil.rmtree(folder, ignore_errors=True)
        with progress(f"Installing {version} (once)"):
            for words in steps:
                done = subprocess.run(
                    words,
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    env={**os.environ, **env},
                )
                if done.returncode:
                    raise LabError(
                        f"{version} could not be installed:\n{done.stderr.strip()[-800:]}\n"
                        "Check the network, then try again."
                    )
        made.write_text(version, encoding="utf-8")


def _show(
    name: str,
    words: Sequence[str],
    folder: Path,
    asked: str,
    shown: str,
    open_browser: bool,
    env: Mapping[str, str],
) -> None:
    """Run a program until Ctrl-C or until the stack has ended; print where it is once it answers."""
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **env}
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **home},
        cwd=folder,
        start_new_session=True,
    )
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _wait(lambda: ended or _answers(asked), process, name)
        click.echo(f"{name}: {shown}   (Ctrl-C ends it; so does the end of the stack)")
        if open_browser and has_display():
            webbrowser.open(shown)
        while not ended and process.poll() is None and not lifecycle.status().ended:
            time.sleep(LOOKS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _end(process)


def _wait(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str) -> None:
    deadline = time.monotonic() + _STARTS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"{name} did not start. What it said is above.")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    with_children = (
        [process, *psutil.Process(process.pid).children(True)] if process.poll() is None else []
    )
    for one in with_children:
        one.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

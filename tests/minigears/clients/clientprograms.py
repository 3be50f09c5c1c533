"""Programs that are clients, each installed once into the repository's cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import uv

from tests.minigears.realgears import SHARED_CACHE
from tests.programs import left_out

NODE_REDIS = "6.3.1"


def run(*words: object, **options: object) -> str:
    """What a program prints; the test fails when it fails."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=120, **options
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def installed(name: str, install: Callable[[Path], None]) -> Path:
    """The folder of a client in the cache, made whole by the first test that asks."""
    folder = SHARED_CACHE / "clients" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            (folder / "complete").touch()
    return folder


def python_with(*packages: str) -> Path:
    """The Python of an environment that holds these packages and nothing else of ours."""

    def install(folder: Path) -> None:
        program = uv.find_uv_bin()
        run(program, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
        run(program, "pip", "install", "--quiet", "--python", folder, *packages)

    version = "".join(map(str, sys.version_info[:2]))
    return installed(f"{'-'.join(packages)}-py{version}", install) / "bin" / "python"


def node_redis(session: Path, *words: object) -> str:
    """What a script for node prints, which imports node-redis; skips where there is no node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        left_out("no node and npm on this machine (Debian: apt-get install nodejs npm)")
    folder = installed(
        f"node-redis-{NODE_REDIS}",
        lambda folder: run(npm, "install", "--prefix", folder, f"redis@{NODE_REDIS}") and None,
    )
    script = folder / session.name  # a module is looked for beside the script that imports it
    script.write_text(session.read_text())
    return run(node, script, *words)

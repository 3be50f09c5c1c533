"""Run uv, or pip where there is no uv, and read what it left."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.tags import Tag, parse_tag

from minigears.executor.requirements.model import Log


def install(name: str, site: Path, cache_dir: Path, force: bool, log: Log) -> None:
    """Install `name`, and what it depends on, into the empty directory `site`.

    Every line that the installer prints goes to `log`. Raises ChildProcessError when it fails and
    FileNotFoundError when there is none.
    """
    command = [*_installer(force), "--target", str(site), "--", name]
    caches = {"UV_CACHE_DIR": str(cache_dir / "uv"), "PIP_CACHE_DIR": str(cache_dir / "pip")}
    with subprocess.Popen(
        command,
        cwd=site.anchor,  # a project's own settings, found from where we were started, do not count
        env={**os.environ, **caches, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                log(f"{name}: {line.rstrip()}", "notice")
    if process.returncode:
        raise ChildProcessError(f"{Path(command[0]).name} ended with code {process.returncode}")


def _installer(force: bool) -> list[str]:
    try:
        from uv import find_uv_bin

        uv = find_uv_bin()
    except (ImportError, FileNotFoundError):
        return _pip(force)
    refresh = ["--refresh"] if force else []
    options = ["--python", sys.executable, "--no-progress", "--color", "never"]
    return [uv, "pip", "install", *options, *refresh]


def _pip(force: bool) -> list[str]:
    if importlib.util.find_spec("pip") is None:
        raise FileNotFoundError("neither uv nor pip is there to install requirements")
    fresh = ["--no-cache-dir"] if force else []
    return [sys.executable, "-m", "pip", "install", "--progress-bar", "off", *fresh]


def wheels_in(site: Path) -> list[str]:
    """The file names of the wheels that were unpacked into `site`, in order."""
    return sorted(_wheel_name(info) for info in site.glob("*.dist-info"))


def _wheel_name(info: Path) -> str:
    lines = (info / "WHEEL").read_text(encoding="utf-8", errors="replace").splitlines()
    tags = [line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")]
    return f"{info.name.removesuffix('.dist-info')}-{_compressed(tags)}.whl"


def _compressed(tags: Iterable[str]) -> str:
    """The tags of a wheel's metadata in the short form that its file name has."""
    parsed: list[Tag] = [tag for text in tags for tag in parse_tag(text)]
    parts = (
        dict.fromkeys(tag.interpreter for tag in parsed),
        dict.fromkeys(tag.abi for tag in parsed),
        dict.fromkeys(tag.platform for tag in parsed),
    )
    return "-".join(".".join(part) for part in parts)

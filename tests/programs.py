"""Programs that tests start, and what a test does where the machine does not have one."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock

from tests.plugins.sandbox import REPOSITORY

REQUIRED = "PROGRAMS_REQUIRED"
"""The environment variable with which .ci/run forbids to leave a test out for want of a program."""


def left_out(reason: str, required: str = REQUIRED) -> NoReturn:
    """Skip this test; where nothing may be left out, as the variable `required` says, fail it."""
    if os.environ.get(required):
        pytest.fail(f"{required} is set, and this would be skipped: {reason}", pytrace=False)
    pytest.skip(reason)


def npm_package(named: str) -> Path:
    """Return the folder of a package (`name@version`), which npm brings once; or skip the test."""
    cache = REPOSITORY / ".cache" / "npm-packages"
    folder = cache / named.replace("@", "-")
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):
        if not (folder / "package").exists():
            if (npm := shutil.which("npm")) is None:
                left_out(f"no npm here, which brings {named}")
            folder.mkdir(exist_ok=True)
            words = [npm, "pack", named, "--silent", "--cache", str(cache / "npm")]
            packed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
            shutil.unpack_archive(folder / packed.stdout.split()[-1], folder, filter="data")
    return folder / "package"


def installed(folder: Path, place: Path) -> Path:
    """Install the package in `folder` into a bare environment at `place`; returns its folder of programs."""
    venv.create(place, with_pip=True)
    said(place / "bin" / "python", "-m", "pip", "install", "-q", folder, cwd=place)
    return place / "bin"


def said(*words: str | Path, cwd: Path) -> str:
    """What a program prints that has to end well, in a quarter of an hour."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

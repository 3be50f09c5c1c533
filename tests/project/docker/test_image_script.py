"""docker/build.sh lays out packages for the processor that the images will run on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.plugins.sandbox import REPOSITORY

UV = 'echo "$@" >>said; case "$*" in *"pip install"*) exit 7 ;; esac'
"""In uv's place: it notes what it is asked for, and ends the script where packages are installed."""


def program(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("daemon", "wheels"),
    [("amd64", "x86_64-manylinux_2_31"), ("arm64", "aarch64-manylinux_2_31")],
)
def test_the_packages_are_for_the_daemons_processor(tmp_path, daemon, wheels):
    (tmp_path / "docker").mkdir()
    shutil.copy(REPOSITORY / "docker" / "build.sh", tmp_path / "docker")
    program(tmp_path / ".venv" / "bin" / "uv", UV)
    program(
        tmp_path / ".venv" / "bin" / "python", 'shift 3; exec "$@"'
    )  # -m lab.environment .cache
    program(tmp_path / "bin" / "docker", f"echo {daemon}")
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "docker/build.sh"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 7, done.stderr
    assert f"--python-platform {wheels}" in (tmp_path / "said").read_text()

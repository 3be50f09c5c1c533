"""The course with the oldest packages that pyproject.toml allows, in an environment of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.clone import clone_into
from tests.project.files import pyproject
from tests.sandbox import REPOSITORY

TESTS = (
    "tests/notebooks/test_alone.py",
    "tests/minigears/test_golden.py",
    "tests/minigears/executor",
    "tests/recipes/streams/test_end_to_end.py",
    "tests/movieapp",
    "tests/lab/test_command.py",
)


def floors() -> dict[str, Version]:
    """The oldest versions that pyproject.toml allows of what the course itself uses."""
    wanted = map(Requirement, pyproject()["project"]["dependencies"])
    return {
        one.name: Version(bound.version)
        for one in wanted
        for bound in one.specifier
        if bound.operator == ">="
    }


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_oldest_dependencies_that_are_allowed_will_do() -> None:
    folder = Path(tempfile.mkdtemp(prefix="old-"))
    clone_into(folder)
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
    bare |= {"VIRTUAL_ENV": "", "PYTHON": sys._base_executable}
    lock = ["lock", "--quiet", "--upgrade", "--resolution", "lowest-direct"]
    steps = [
        [str(REPOSITORY / ".venv/bin/uv"), *lock, "--python", sys.executable],
        ["sh", "tools/setup.sh"],
        [".venv/bin/pytest", "-q", "-n", "2", "--dist", "loadgroup", "--reruns", "1", *TESTS],
    ]
    for step in steps:
        done = subprocess.run(step, cwd=folder, env=bare, capture_output=True, text=True)
        assert done.returncode == 0, f"{step}\n{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    text = (folder / "uv.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r'^name = "([^"]+)"\nversion = "([^"]+)"', text, re.MULTILINE))
    older = [name for name, floor in floors().items() if Version(locked[name]) <= floor]
    assert len(older) > len(floors()) / 2

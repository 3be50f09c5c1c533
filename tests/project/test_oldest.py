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
from tests.project.files import REPOSITORY, pyproject

LOCK = ["lock", "--quiet", "--upgrade", "--resolution", "lowest-direct", "--python", sys.executable]
PYTEST = [".venv/bin/pytest", "-q", "-n", "2", "--dist", "loadgroup", "--reruns", "1"]

SHARE = (
    *("tests/minigears/golden", "tests/recipes/streams/core"),
    *("tests/recipes/streams/test_end_to_end.py", "tests/movieapp"),
    "tests/notebooks/test_alone.py::test_alone_on_a_fresh_stack[06_write_behind]",
)
"""A part for every run of the long forms: each of our parts, and what it asks of the packages it is made from."""

WHOLE = ("tests/notebooks/test_alone.py", "tests/lab/test_command.py", *SHARE[:-1])


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
@pytest.mark.timeout(5400)
@pytest.mark.parametrize(
    "tests",
    [pytest.param(SHARE, id="share"), pytest.param(WHOLE, id="whole", marks=pytest.mark.soak)],
)
def test_the_oldest_dependencies_that_are_allowed_will_do(tests: tuple[str, ...]) -> None:
    for test in tests:  # of a path that is not there, pytest with workers says nothing
        assert (REPOSITORY / test.partition("::")[0]).exists(), test
    env = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
    env |= {"VIRTUAL_ENV": "", "PYTHON": sys._base_executable}

    with tempfile.TemporaryDirectory(prefix="old-") as name:
        folder = Path(name)
        for each in (folder, folder.parent):  # as root's tests run PostgreSQL as nobody
            each.chmod(each.stat().st_mode | 0o011)

        def run(*words: str) -> None:
            done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
            assert done.returncode == 0, f"{words}\n{done.stdout[-8000:]}\n{done.stderr[-4000:]}"

        clone_into(folder)
        run(str(REPOSITORY / ".venv/bin/uv"), *LOCK)
        lock = (folder / "uv.lock").read_text(encoding="utf-8")
        locked = dict(re.findall(r'^name = "([^"]+)"\nversion = "([^"]+)"', lock, re.MULTILINE))
        assert {each: Version(locked[each]) for each in floors()} == floors()
        run("sh", "tools/setup.sh")
        run(*PYTEST, *tests)

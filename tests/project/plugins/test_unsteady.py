"""A test that fails and then passes is named; where there are more than a few, the run fails."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.inner import BARE, WORKERS, bare_pytest
from tests.plugins import unsteady
from tests.plugins.sandbox import REPOSITORY

TESTS = """
import pathlib, pytest
@pytest.mark.parametrize("number", range(5))
def test_second_try(number):
    tried = pathlib.Path(__file__).with_name(f"tried-{number}")
    if number < UNSTEADY and not tried.exists():
        tried.touch()
        raise ValueError(f"the first try of {number}")
"""


def run(tmp_path, count: int) -> subprocess.CompletedProcess[str]:
    """Run five tests, of which `count` pass at their second try, on two workers."""
    (tmp_path / "test_it.py").write_text(TESTS.replace("UNSTEADY", str(count)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [
        *bare_pytest(tmp_path, *WORKERS, "tests.plugins.unsteady"),
        "-n",
        "2",
        "--reruns",
        "1",
    ]
    return subprocess.run(
        [*command, tmp_path],
        cwd=REPOSITORY,
        env={**os.environ, **BARE},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("count", [0, unsteady.MOST, unsteady.MOST + 1])
def test_unsteady_tests_are_named_and_few(tmp_path, count):
    told = run(tmp_path, count)
    passed = count <= unsteady.MOST
    assert told.returncode == (pytest.ExitCode.OK if passed else pytest.ExitCode.TESTS_FAILED)
    for number in range(5):
        assert (f"ValueError: the first try of {number}" in told.stdout) == (number < count)
        assert (f"test_it.py::test_second_try[{number}] (call)" in told.stdout) == (number < count)

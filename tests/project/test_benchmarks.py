"""Each command that measures still runs: a figure in the docs is worth what its command is."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from benchmarks.minigears.since import REVISION
from benchmarks.turns import times
from tests.plugins.sandbox import REPOSITORY

SMALLEST = {
    "minigears": "--rounds 1 --pending 2000",
    "recipes": "--rounds 1 --pending 21000",
    "minigears.processor": "--rounds 1 --count 200",
    "recipes.scale": "",
    "movieapp": "",
    "recipes.instructions": "--calls 20",
    "minigears.door": "--rounds 20",
    "minigears.executor": "--rounds 20",
    "minigears.since": "--rounds 1 --count 300",
    "recipes.kafka": "--rounds 1 --documents 200",
}
"""Options with which each takes the least time. None writes into the docs."""


def test_none_is_left_out():
    folder = REPOSITORY / "benchmarks"
    programs = {
        ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__main__")
        for file in folder.rglob("*.py")
        if "__main__" in file.read_text(encoding="utf-8")
    }
    assert programs - {"minigears.bare_relay"} == set(SMALLEST), (
        "bare_relay is a server of benchmarks.minigears"
    )


def has(revision: str) -> bool:
    asked = ["git", "cat-file", "-e", revision]
    return not subprocess.run(asked, cwd=REPOSITORY, capture_output=True).returncode


@pytest.mark.long
@pytest.mark.parametrize("name", SMALLEST)
def test_it_runs(name):
    if name == "recipes.instructions" and not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    if name == "recipes.kafka":
        pytest.importorskip("confluent_kafka", reason="make kafka was not run")
    if name == "minigears.since" and not has(REVISION):
        pytest.skip("this clone has not the history that is compared with")
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *SMALLEST[name].split()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_what_the_kernel_saw_no_time_of_has_no_ratio():
    assert times([0.01, 0.02], [0.0, 0.0], 2) == "–"
    assert times([0.01, 0.02], [0.0, 0.01], 2) == "3.00"

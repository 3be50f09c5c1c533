"""Each command that measures still runs: a figure in the docs is worth what its command is."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.plugins.sandbox import REPOSITORY

SMALLEST = {
    "minigears": "--rounds 1 --pending 2000",
    "recipes": "--rounds 1 --pending 21000",
    "processor": "--rounds 1 --count 200",
    "scale": "",
    "movieapp": "",
    "instructions": "--calls 20",
    "door": "--rounds 20",
    "kafka": "--rounds 1 --documents 200",
}
"""Options with which each takes the least time. None writes into the docs."""


def test_none_is_left_out():
    programs = {
        file.stem
        for file in (REPOSITORY / "benchmarks").glob("*.py")
        if "__main__" in file.read_text(encoding="utf-8")
    }
    assert programs - {"bare_relay"} == set(SMALLEST), (
        "bare_relay is a server of benchmarks.minigears"
    )


@pytest.mark.long
@pytest.mark.parametrize("name", SMALLEST)
def test_it_runs(name):
    if name == "instructions" and not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    if name == "kafka":
        pytest.importorskip("confluent_kafka", reason="make kafka was not run")
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *SMALLEST[name].split()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

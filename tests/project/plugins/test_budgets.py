"""Processor time is counted, that of servers too; a run that is over a budget fails and says so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.inner import BARE, WORKERS, bare_pytest
from tests.minigears.realredis import wait_for
from tests.plugins.processortime import PROC, Meter
from tests.plugins.sandbox import REPOSITORY

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="it counts with Linux's /proc")

BURN = "import time\nwhile time.process_time() < 0.4: pass\n"
TESTS = f"""
import subprocess, sys, pytest

@pytest.mark.parametrize("number", range(3))
def test_that_starts_what_burns(number):
    subprocess.run([sys.executable, "-c", {BURN!r}])
"""
GENEROUS, TIGHT = 0.000_01, 1.0
"""Seconds that a piece of work takes on a machine that is much faster than any, and much slower."""


def run(folder: Path, piece: float, *words: str) -> subprocess.CompletedProcess[str]:
    """Run three tests of 0.4 s of processor time each, with a budget of a second for their folder."""
    (folder / "loops" / "deep").mkdir(parents=True)
    (folder / "loops" / "deep" / "test_it.py").write_text(TESTS)
    (folder / "test_empty.py").write_text("def test_empty():\n    pass\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    table = folder / "budgets.toml"
    table.write_text(f"times = 2\npiece = {piece}\n[quick]\nloops = 1\n")
    command = [
        *bare_pytest(folder, *WORKERS, "tests.plugins.budgets"),
        f"--budgets={table}",
        *words,
    ]
    return subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **BARE}, capture_output=True, text=True
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_folder_over_its_budget_fails_the_run(tmp_path: Path, workers: str) -> None:
    told = run(tmp_path, TIGHT, "-n", workers, str(tmp_path / "loops"))
    assert told.returncode == pytest.ExitCode.TESTS_FAILED, told.stdout
    [seconds] = re.findall(
        r"^quick loops took (\S+) s of processor time, .* more", told.stdout, re.M
    )
    assert float(seconds) > 1.1
    assert "3 passed" in told.stdout


def test_a_folder_within_its_budget_passes(tmp_path: Path) -> None:
    told = run(tmp_path, GENEROUS, str(tmp_path / "loops"))
    assert told.returncode == pytest.ExitCode.OK, told.stdout
    assert re.search(r"^ +\d+\.\d +\d+  quick loops$", told.stdout, re.M)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_costliest_tests_are_named_where_that_is_asked_for(
    tmp_path: Path, workers: str
) -> None:
    told = run(tmp_path, GENEROUS, "-n", workers, "--costly", "2", str(tmp_path))
    named = re.findall(r"^ +(\d\.\d)  (\S+)$", told.stdout, re.M)
    assert [test.partition("[")[0] for _, test in named] == [
        "loops/deep/test_it.py::test_that_starts_what_burns"
    ] * 2
    assert all(float(seconds) > 0.3 for seconds, _ in named)


def test_a_folder_without_a_budget_fails_the_run(tmp_path: Path) -> None:
    told = run(tmp_path, GENEROUS, str(tmp_path / "test_empty.py"))
    assert told.returncode == pytest.ExitCode.TESTS_FAILED, told.stdout
    assert re.search(r"^quick \. took \S+ s and has no row", told.stdout, re.M)


def test_a_server_that_nobody_waits_for_counts_after_its_end() -> None:
    meter = Meter()
    leave = "import subprocess, sys\n"
    leave += (
        f"print(subprocess.Popen([sys.executable, '-c', {BURN + 'input()'!r}]).pid, flush=True)\n"
    )
    leave += "input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", leave], text=True, **pipes) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        meter.seconds()  # both are seen
        starter.kill()
        starter.wait()
        wait_for(lambda: meter.seconds() > 0.3, what="the server's time")
        server.kill()
        psutil.wait_procs([server])
    assert meter.seconds() > 0.3

"""Several processes at one cache, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.minigears.executor.requirements.wheelhouse import make_slow_sdist
from tests.minigears.realredis import wait_for

SCRIPT = """
import sys
from pathlib import Path
from minigears.executor.requirements import RequirementStore
store = RequirementStore(Path(sys.argv[1]), lambda message, level: print(message, flush=True))
print("installed", store.install(["slow"])[0].wheels, flush=True)
"""


@pytest.fixture
def here(tmp_path, wheels, monkeypatch) -> Path:
    """The folder where `slow` counts its builds and waits for the file `go on`."""
    here = tmp_path / "here"
    here.mkdir()
    make_slow_sdist(wheels, here)
    monkeypatch.setenv("SLOW_HERE", str(here))
    return here


@pytest.fixture
def start_install(tmp_path):
    processes = []

    def start(name: str) -> subprocess.Popen:
        with (tmp_path / name).open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, tmp_path / "cache"],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _builds(here: Path) -> int:
    return len((here / "builds").read_text()) if (here / "builds").exists() else 0


def _installed(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "requirements").glob("*/slow-*"))


def _left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "requirements").glob("*/.slow-*.tmp-*"))


def test_a_process_that_is_killed_leaves_nothing_broken(here, tmp_path, start_install):
    killed = start_install("killed")
    wait_for(lambda: _builds(here), what="the build to start")
    assert _left_over(tmp_path)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert _installed(tmp_path) == []

    (here / "go on").touch()
    assert start_install("next").wait(60) == 0
    [path] = _installed(tmp_path)
    assert (path / "site" / "slow.py").exists()
    assert _left_over(tmp_path) == []


def test_two_processes_install_once(here, tmp_path, start_install):
    first = start_install("first")
    wait_for(lambda: _builds(here), what="the build to start")
    second = start_install("second")
    wait_for(lambda: "waiting" in (tmp_path / "second").read_text(), what="the second to wait")
    (here / "go on").touch()
    assert first.wait(60) == 0
    assert second.wait(60) == 0
    assert _builds(here) == 1
    assert "installing requirement" not in (tmp_path / "second").read_text()
    assert "installed ('slow-1.0-py3-none-any.whl',)" in (tmp_path / "second").read_text()

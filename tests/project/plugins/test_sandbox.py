"""A test run leaves nothing behind: shown on runs of pytest inside this one, with a real stack."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.inner import BARE, bare_pytest, inner_run
from tests.plugins import janitor
from tests.plugins.sandbox import REPOSITORY

pytestmark = pytest.mark.xdist_group("sandbox")  # each starts a stack: one at a time is enough

STARTS_A_STACK = """
import os, pathlib, sys, tempfile
import lab

def test_inner():
    lab.up()
    pathlib.Path.home().joinpath("in-home").touch()
    tempfile.mkstemp()
    {end}
"""
STOPS_IT = "lab.down()"
LEAVES_IT = "pass"
WAITS = 'print("WAITING", flush=True); sys.stdin.read()'


@pytest.fixture
def start(tmp_path_factory):
    with ExitStack() as runs:
        yield lambda end: runs.enter_context(
            inner_run(tmp_path_factory.mktemp("r"), STARTS_A_STACK.format(end=end))
        )


@pytest.mark.long
def test_a_run_that_stops_its_stack_passes_and_leaves_nothing(start):
    run = start(STOPS_IT)
    output, _ = run.process.communicate()
    assert run.process.returncode == 0, output
    assert run.left_nothing()


def test_a_run_that_leaves_its_stack_running_fails_and_the_stack_is_ended(start):
    run = start(LEAVES_IT)
    output, _ = run.process.communicate()
    assert run.process.returncode == 1, output
    assert "The run left behind" in output
    assert "redis-server" in output
    assert run.left_nothing()


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.long)]
)
def test_a_run_that_is_ended_leaves_nothing(start, how):
    run = start(WAITS)
    run.wait_for("WAITING")
    folder = run.folder()
    started = psutil.Process(run.process.pid).children(recursive=True)
    started += janitor.processes(folder)
    assert any("redis-server" in process.name() for process in started)
    run.process.send_signal(how)
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    assert not janitor.processes(folder)
    assert run.left_nothing()


def test_a_process_of_the_run_is_known_by_its_environment(tmp_path):
    env = {**os.environ, janitor.MARK: str(tmp_path)}
    check_known(tmp_path, env=env, cwd="/")


def test_a_process_of_the_run_is_known_by_its_working_directory(tmp_path):
    check_known(tmp_path, env={}, cwd=tmp_path)


def check_known(folder: Path, **how) -> None:
    """Start a process, look for it, and look for it in another run."""
    words = [sys.executable, "-c", "print(flush=True); input()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes, **how) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert [p.pid for p in janitor.processes(folder)] == [child.pid]
        assert janitor.processes(folder / "other") == []
        child.kill()


def test_programs_that_tests_start_keep_what_they_compile(tmp_path: Path) -> None:
    """To compile all that it imports takes most of a program's start, and tests start hundreds."""
    code = "import os\ndef test_inner(): assert 'PYTHONDONTWRITEBYTECODE' not in os.environ"
    with inner_run(tmp_path, code, PYTHONDONTWRITEBYTECODE="1") as run:
        output, _ = run.process.communicate()
        assert run.process.returncode == 0, output


def test_groups_of_tests_are_kept_on_one_worker(request: pytest.FixtureRequest) -> None:
    # Where pytest and pytest-xdist do not fit, groups are silently ignored.
    if os.environ.get("PYTEST_XDIST_WORKER") is None:
        pytest.skip("no workers here: pytest -n 2 --dist loadgroup")
    assert request.node.nodeid.endswith("@sandbox")


def test_a_run_inside_this_one_leaves_the_folders_of_this_one_open(tmp_path: Path) -> None:
    """PostgreSQL runs as another user where we are root, and its data lie below them."""
    root = next(folder for folder in tmp_path.parents if folder.name.startswith("pytest-of-"))
    root.chmod(0o711)
    (tmp_path / "test_inner.py").write_text("def test_inner(tmp_path): pass")
    command = [*bare_pytest(tmp_path), str(tmp_path)]
    subprocess.run(command, env={**os.environ, **BARE}, check=True, cwd=REPOSITORY)
    assert stat.S_IMODE(root.stat().st_mode) == 0o711

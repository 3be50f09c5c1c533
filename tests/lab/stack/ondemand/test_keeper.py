"""What a notebook starts for itself ends with its kernel, also when that is killed, and with `lab down`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.minigears.realredis import wait_for

CLUSTER = (  # one of its servers was started again
    "made = lab.cluster(2); made.masters[1].end(); made.masters[1].start();"
    " pids = [node.process.pid for node in made.nodes]"
)
POSTGRES = "made = lab.postgres(); pids = [made._process.pid]"
KAFKA = "made = lab.kafka(); pids = [made._process.pid]"
FOLDER = "folder = str(made._keeper._process.args[-1])"
everything = pytest.mark.parametrize("start", [CLUSTER, POSTGRES, KAFKA])


@contextmanager
def started(start: str) -> Iterator[tuple[subprocess.Popen[str], Path, list[psutil.Process]]]:
    """A kernel that has started something and waits; where that has its data; its servers."""
    code = (
        f"import lab; {start}; {FOLDER}; print('>', folder, *pids, flush=True);"
        " input(); made.stop(); print('stopped')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as kernel:
        assert kernel.stdout is not None
        line = next((line for line in kernel.stdout if line.startswith("> ")), "")
        if not line:
            pytest.skip("they do not run here")
        _, folder, *pids = line.split()
        yield kernel, Path(folder), [psutil.Process(int(pid)) for pid in pids]


@everything
def test_servers_and_data_go_with_a_kernel_that_is_killed(start: str) -> None:
    with started(start) as (kernel, folder, servers):
        os.kill(kernel.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_runs, servers)), 60, "the servers to end")
    wait_for(lambda: not folder.exists(), 60, "the data to go")


@everything
def test_lab_down_in_a_terminal_ends_them_and_the_kernel_may_stop_them_all_the_same(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "one"))
    with started(start) as (kernel, folder, servers):
        other = {**os.environ, "LAB_HOME": str(tmp_path / "other")}
        assert "Nothing was running" in _down(other)
        assert all(map(_runs, servers))
        assert "Stopped: " in _down(dict(os.environ))
        assert not any(map(_runs, servers))
        assert not folder.exists()
        told, _ = kernel.communicate("\n", 60)
        assert told == "stopped\n"


def _down(env: dict[str, str]) -> str:
    done = subprocess.run(["lab", "down"], env=env, check=True, capture_output=True, text=True)
    return done.stdout


def _runs(server: psutil.Process) -> bool:
    try:
        return server.is_running() and server.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

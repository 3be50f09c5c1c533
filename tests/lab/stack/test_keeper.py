"""What a notebook starts for itself ends with its kernel, also when that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.minigears.realredis import wait_for

CLUSTER = (  # one of its servers was started again
    "made = lab.cluster(2); made.masters[1].end(); made.masters[1].start();"
    " pids = [node.process.pid for node in made.nodes]"
)
POSTGRES = "made = lab.postgres(); pids = [made._process.pid]"
FOLDER = "folder = str(made._keeper._process.args[-1])"


@pytest.mark.parametrize("start", [CLUSTER, POSTGRES])
def test_servers_and_data_go_with_a_kernel_that_is_killed(start: str) -> None:
    code = f"import lab; {start}; {FOLDER}; print('>', folder, *pids, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as kernel:
        assert kernel.stdout is not None
        line = next((line for line in kernel.stdout if line.startswith("> ")), "")
        if not line:
            pytest.skip("they do not run here")
        _, folder, *pids = line.split()
        servers = [psutil.Process(int(pid)) for pid in pids]
        os.kill(kernel.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_runs, servers)), 60, "the servers to end")
    wait_for(lambda: not Path(folder).exists(), 60, "the data to go")


def _runs(server: psutil.Process) -> bool:
    try:
        return server.is_running() and server.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""When a process counts as ended: not before it has let go of its port."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

import lab
from lab.stack import ports
from lab.stack.embedded import processes
from tests.freeports import free_ports

HALF_DEAD = """
import ctypes, os, socket, sys, threading
held = socket.create_server(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=os.read, args=(0, 1)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
"""Its first thread has ended, as a dying server's may have; another one still runs."""


@pytest.fixture
def half_dead() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process that looks like a zombie and has a port all the same, and that port."""
    [port] = free_ports(1)
    argv = [sys.executable, "-c", HALF_DEAD, str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        seen = psutil.Process(process.pid)
        lab.wait_until(lambda: seen.status() == psutil.STATUS_ZOMBIE, what="it looks dead")
        yield process, port
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows such processes as zombies")
def test_a_dying_process_counts_until_its_last_thread_has_gone(
    half_dead: tuple[subprocess.Popen[bytes], int],
) -> None:
    process, port = half_dead
    proc = processes.Proc.of(process.pid)
    assert proc.alive
    assert not ports.is_free(port)
    assert not proc.wait_gone(timeout=0)
    processes.kill([psutil.Process(process.pid)])
    assert not proc.alive
    assert ports.is_free(port)

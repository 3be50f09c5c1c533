"""Loopback ports: which are free, and who has the others."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Collection

import psutil

from lab.errors import LabError

LOOPBACK = "127.0.0.1"


def preferred(variable: str, default: int) -> int:
    """Return the port that an environment variable names, else the default. Raises LabError."""
    said = os.environ.get(variable)
    if not said:
        return default
    if said.isdecimal() and 1 <= int(said) <= 65535:
        return int(said)
    raise LabError(
        f"{variable}={said} is no port: set it to a number from 1 to 65535, or unset it."
    )


def is_free(port: int) -> bool:
    """Tell whether a program could listen on this loopback port now."""
    with contextlib.closing(socket.socket()) as probe:
        # As servers do: a port in TIME_WAIT counts as free, one that is listened on does not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return not _answers(port)


def _answers(port: int) -> bool:
    """Tell whether something accepts connections, also when bound to another address."""
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) == 0


def next_free(preferred: int, avoid: Collection[int] = ()) -> int:
    """Return `preferred` when it is free and not in `avoid`, else the next free port above it.

    Raises LabError when there is none up to 65535.
    """
    for port in range(preferred, 65536):
        if port not in avoid and is_free(port):
            return port
    raise LabError(f"There is no free port from {preferred} up. Set LAB_PORT_… to a lower one.")


def free(count: int) -> list[int]:
    """Return ports that are free now, of those that the system gives away: any will do."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in held]


def owner(port: int) -> str | None:
    """Name the program that listens on a port ("redis-server, process 4711"), if it may be seen."""
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if port in listening(process):
                return f"{process.info['name']}, process {process.pid}"
    return None


def listening(process: psutil.Process) -> set[int]:
    """Return the TCP ports that one process listens on. Raises psutil.Error."""
    return {
        connection.laddr.port
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }

"""docker/mongo/mongo-ping, the health check of a container, speaks to the server without a driver."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from socket import create_server, socket

import pytest

from tests.freeports import free_ports
from tests.minigears.realmongo import MongoServer
from tests.plugins.sandbox import REPOSITORY

_OTHERS: dict[str, Callable[[socket], object]] = {
    "closes": lambda client: client.close(),
    "refuses": lambda client: client.sendall(b"\x1a\0\0\0" + bytes(22)),
    "another protocol": lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "says nothing": lambda _: None,
}


def ping(port: int) -> int:
    program = [sys.executable, REPOSITORY / "docker/mongo/mongo-ping", "127.0.0.1", str(port)]
    return subprocess.run(program, capture_output=True, timeout=60).returncode


def test_a_server_that_answers_is_healthy_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    server = MongoServer(tmp_path, free_ports(1)[0])
    server.start()
    assert ping(server.port) == 0
    server.stop(signal.SIGKILL)
    assert ping(server.port) != 0


@pytest.mark.parametrize("behaviour", _OTHERS)
def test_what_does_not_answer_the_ping_is_not_healthy(behaviour: str) -> None:
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(1000)
                _OTHERS[behaviour](client)
                over.wait(60)

        over = threading.Event()
        serving = threading.Thread(target=serve)
        serving.start()
        assert ping(listening.getsockname()[1]) != 0
        over.set()
        serving.join()

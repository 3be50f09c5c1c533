"""Which ports are free, and waiting for one that a dying process still has."""

from __future__ import annotations

import socket
import threading

import pytest

from lab import ports
from tests.freeports import free_ports


def listener(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_a_port_that_somebody_has_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    with listener(port):
        asked = []
        monkeypatch.setattr(ports, "owner", lambda number: asked.append(number) or "another")
        ports.wait_released(port, seconds=60)
        assert asked == [port]
        assert not ports.is_free(port)


def test_a_port_that_a_dying_process_has_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    dying = listener(port)
    looked = threading.Event()
    monkeypatch.setattr(ports, "owner", lambda number: looked.set())
    closer = threading.Thread(target=lambda: (looked.wait(30), dying.close()))
    closer.start()
    ports.wait_released(port, seconds=60)
    closer.join()
    assert ports.is_free(port)

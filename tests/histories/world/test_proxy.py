"""The proxy passes, hangs, cuts and refuses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.histories.world.proxy import Mood, Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says back what it hears."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(client: socket.socket) -> None:
            with client:
                while heard := client.recv(1024):
                    client.sendall(heard)

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 10)


def test_what_hangs_arrives_when_it_passes_again(echo: int) -> None:
    with Proxy(echo) as proxy, _connect(proxy) as client:
        client.sendall(b"one")
        assert client.recv(10) == b"one"
        proxy.be(Mood.HANGING)
        client.sendall(b"two")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)
        client.settimeout(10)
        proxy.be(Mood.SLOW)
        assert client.recv(10) == b"two"


def test_a_cut_ends_connections_and_takes_new_ones(echo: int) -> None:
    with Proxy(echo) as proxy:
        with _connect(proxy) as client:
            client.sendall(b"one")
            assert client.recv(10) == b"one"
            proxy.cut()
            assert _ended(client)
        with _connect(proxy) as client:
            client.sendall(b"two")
            assert client.recv(10) == b"two"


def test_a_proxy_that_refuses_ends_every_connection(echo: int) -> None:
    with Proxy(echo) as proxy, _connect(proxy) as client:
        proxy.be(Mood.REFUSING)
        assert _ended(client)
        with _connect(proxy) as other:
            assert _ended(other)
        proxy.be(Mood.PASSING)
        with _connect(proxy) as again:
            again.sendall(b"back")
            assert again.recv(10) == b"back"


def _ended(client: socket.socket) -> bool:
    try:
        return client.recv(10) == b""
    except ConnectionResetError:
        return True

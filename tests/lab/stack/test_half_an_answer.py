"""Who stops a part and does not start it again is told what to do, and nothing hangs."""

from __future__ import annotations

import socket
import threading

import pytest
import redis

import lab
from lab.stack import redisclient
from lab.stack.model import Stack


def test_a_redis_that_was_stopped_is_an_error_that_says_what_to_do(
    breakable: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an answer to 02-1: the next line of the cell."""
    lab.stop("redis")
    client = redisclient.connect(breakable.redis_url, patience=2)
    with pytest.raises(redis.RedisError, match=r"lab\.start\('redis'\)"):
        client.info("server")
    with pytest.raises(redis.ConnectionError, match=r"lab\.start\('redis'\)"):
        redisclient.connect(breakable.redis_direct_url).ping()


def test_the_clients_of_a_stack_have_a_limit(stack: Stack) -> None:
    for client in (stack.redis, stack.redis_direct):
        assert client.connection_pool.connection_kwargs["socket_timeout"] == redisclient.PATIENCE


@pytest.mark.parametrize(
    "words", [("RG.PYEXECUTE", "GB()"), ("rg.pyexecute", "GB()"), ("BLPOP", "a", "0")]
)
def test_what_may_take_long_has_the_time(words: tuple[str, ...]) -> None:
    with silent_for(0.5) as port:
        client = redisclient.connect(f"redis://127.0.0.1:{port}?protocol=2", patience=0.1)
        assert client.execute_command(*words)
        with pytest.raises(redis.TimeoutError, match=r"lab\.up\(\)"):
            client.execute_command("GET", "a")


class silent_for:
    """A server that takes its time before each answer to what is no handshake."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._server = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        port: int = self._server.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        while data := connection.recv(65536):
            slow = any(word in data.upper() for word in (b"PYEXECUTE", b"BLPOP", b"GET\r\n"))
            if slow:
                self._ended.wait(self._seconds)
                connection.sendall(b"*1\r\n$2\r\nOK\r\n")
                continue
            for _ in range(data.count(b"*")):
                connection.sendall(b"+OK\r\n")

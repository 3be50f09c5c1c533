"""A connection for one who asks now and takes the answer later, while others use the thread's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from minigears.address import Address
from minigears.executor.errors import GearsError
from minigears.executor.redis import busy
from minigears.executor.redis.connection import BlockingConnection


class Sendable(Protocol):
    """What is sent, how many replies come, and which of them matter."""

    data: bytes
    replies: int
    result: Callable[[list[Any]], Any]


class Apart:
    """One call at a time: `send`, later `receive`."""

    def __init__(self, connection: BlockingConnection, wait: Callable[[], None]):
        """`wait` returns when nobody is to be alone with Redis."""
        self._connection = connection
        self._wait = wait
        self._sent: Sendable | None = None

    def send(self, call: Sendable) -> None:
        """Have Redis begin with it."""
        self._wait()
        self._connection.send(call.data)
        self._sent = call

    def receive(self) -> Any:
        """Wait for what was sent; an error reply is returned as a RedisError."""
        assert self._sent is not None
        call, self._sent = self._sent, None
        while busy.is_refused_for_now(
            result := call.result(self._connection.read_many(call.replies))
        ):
            busy.pause()
            self._connection.send(call.data)
        return result

    def call(self, call: Sendable) -> Any:
        """Both."""
        self.send(call)
        return self.receive()


@contextmanager
def apart(address: Address, wait: Callable[[], None]) -> Iterator[Apart]:
    """Open such a connection, and close it; raises GearsError when Redis has gone."""
    connection = None
    try:
        connection = BlockingConnection(address)
        yield Apart(connection, wait)
    except OSError as error:
        raise GearsError(f"the connection to Redis is lost: {error}") from error
    finally:
        if connection is not None:
            connection.close()

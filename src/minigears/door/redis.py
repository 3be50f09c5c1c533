"""Connections of the door to redis-server, and one of its own that pipelines calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import hiredis

from minigears.address import Address
from minigears.protocol import encode_command
from minigears.tls import client_context

P = TypeVar("P", bound=asyncio.BaseProtocol)


class BackendError(Exception):
    """redis-server cannot be reached, or it refused what minigears needs."""


async def connect(address: Address, factory: Callable[[], P]) -> P:
    """Open a connection for one protocol object, not logged in.

    Raises:
        BackendError: nothing answers there.
    """
    loop = asyncio.get_running_loop()
    try:
        if address.path:
            _, protocol = await loop.create_unix_connection(factory, address.path)
        else:
            context = client_context(address.query) if address.tls else None
            _, protocol = await loop.create_connection(
                factory, address.host, address.port, ssl=context
            )
    except (OSError, UnicodeError) as error:  # the latter: a host that cannot be a name
        raise BackendError(f"cannot reach redis-server at {address}: {error}") from error
    return protocol


def last_words(transport: asyncio.BaseTransport | None) -> bytes:
    """What Redis said before it closed, for `connection_lost` with an error.

    asyncio leaves it unread: where it cannot write any more, it no longer listens. Whom Redis does
    not let in would not be told why. Over TLS nothing is left that could be understood.
    """
    said = b""
    if transport is None or transport.get_extra_info("sslcontext"):
        return said
    descriptor = transport.get_extra_info("socket").fileno()
    with contextlib.suppress(OSError):  # nothing is left, or it is closed already
        while descriptor >= 0 and (data := os.read(descriptor, 65_536)):
            said += data
    return said


class Connection(asyncio.Protocol):
    """A pipelined RESP2 connection of the door's own: `await call(…)`, or `send` with a callback."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[Callable[[Any], None]] = deque()
        self._transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio calls this)."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Hand each reply to whoever waits for it (asyncio calls this)."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self.on_reply(reply)

    def on_reply(self, reply: Any) -> None:
        """One reply; subclasses look for messages first."""
        self._waiting.popleft()(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail everything that still waits (asyncio calls this)."""
        if exc is not None and self._waiting and (said := last_words(self._transport)):
            self.data_received(said)
        error = BackendError("the connection to redis-server is lost")
        waiting, self._waiting = self._waiting, deque()
        if not self.closed.done():
            self.closed.set_result(None)
        for callback in waiting:
            callback(error)

    def send(self, callback: Callable[[Any], None], *words: bytes | str | int) -> None:
        """Send a command; `callback` gets the reply, an error reply or a `BackendError`."""
        self.send_packed(callback, encode_command(words))

    def send_packed(self, callback: Callable[[Any], None], packed: bytes) -> None:
        """Send one command that is encoded already."""
        if self._transport is None or self._transport.is_closing():
            callback(BackendError("the connection to redis-server is lost"))
            return
        self._waiting.append(callback)
        self._transport.write(packed)

    async def call(self, *words: bytes | str | int) -> Any:
        """Send a command and wait for its reply.

        Raises:
            BackendError: an error reply, or the connection is lost.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(lambda reply: None if future.done() else future.set_result(reply), *words)
        reply = await future
        if isinstance(reply, BackendError):
            raise reply
        if isinstance(reply, hiredis.ReplyError):
            raise BackendError(str(reply))
        return reply

    def close(self) -> None:
        """Close without waiting for replies."""
        if self._transport is not None:
            self._transport.close()


C = TypeVar("C", bound=Connection)


async def open_connection(address: Address, kind: type[C]) -> C:
    """Connect and log in.

    Raises:
        BackendError: nothing answers, or the password is wrong or missing.
    """
    connection = await connect(address, kind)
    try:
        if address.password:
            login = [address.user] if address.user else []
            await connection.call("AUTH", *login, address.password)
        await connection.call("PING")
    except BackendError as error:
        connection.close()
        if str(error).startswith(("WRONGPASS", "NOAUTH", "ERR AUTH")):
            raise BackendError(
                f"redis-server at {address} says {error!s:.100} Start minigears with the password "
                "that redis-server has now; --help says how"
            ) from None
        raise
    return connection


async def wants_password(address: Address) -> bool:
    """Whether Redis refuses those who have not logged in; raises BackendError without a Redis."""
    connection = await connect(address, Connection)
    reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection.send(lambda answer: None if reply.done() else reply.set_result(answer), "PING")
    try:
        return str(await reply).startswith("NOAUTH")
    finally:
        connection.close()

"""A connection to Redis: blocking, RESP2, over hiredis.

`BlockingConnection` serves one thread. Replies are bytes, int, None, lists of these and `RedisError`. What
a command means is none of its business: see `calls.py` for what user code may send.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import hiredis

from minigears.address import Address
from minigears.tls import client_context

_CHUNK = 256 * 1024
_CONNECT_SECONDS = 10.0
_NOT_YET = object()


class RedisError(Exception):
    """An error reply; `str()` is its text without the leading dash."""


class BlockingConnection:
    """A blocking connection, opened at once.

    Raises OSError when Redis cannot be reached or has gone, RedisError when it refuses us.
    """

    def __init__(self, address: Address):
        self._address = address
        self._reader = hiredis.Reader(replyError=RedisError, notEnoughData=_NOT_YET)
        self._sock = _connect(address)
        if address.password is not None:
            user = [address.user] if address.user else []
            self.call("AUTH", *user, address.password)

    def call(self, *words: str | bytes | int) -> Any:
        """Send one command and return its reply; raises RedisError if that is an error."""
        self.send(pack(words))
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        """Send all commands at once and return their replies; errors are returned, not raised."""
        self.send(pack_all(commands))
        return self.read_many(len(commands))

    def send(self, data: bytes) -> None:
        """Send packed commands."""
        self._sock.sendall(data)

    def read(self) -> Any:
        """Wait for the next reply. Raises ConnectionResetError once Redis has closed."""
        reply = self._reader.gets()
        while reply is _NOT_YET:
            data = self._sock.recv(_CHUNK)
            if not data:
                raise ConnectionResetError("Redis closed the connection")
            self._reader.feed(data)
            reply = self._reader.gets()
        return reply

    def read_many(self, count: int) -> list[Any]:
        """Wait for the next `count` replies."""
        read = self.read
        return [read() for _ in range(count)]

    def alive(self) -> bool:
        """Whether Redis is still there; to be asked while no reply is due."""
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
            return False  # it is closed, or there is a reply that nobody waits for
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # nothing to read: that is how it should be
        except OSError:
            return False
        finally:
            self._sock.settimeout(None)

    def fileno(self) -> int:
        """The descriptor, for `poll`."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def pack(words: Sequence[str | bytes | int]) -> bytes:
    """One command as RESP."""
    packable: Any = words if type(words) is tuple else tuple(words)
    return hiredis.pack_command(packable)  # type: ignore[no-any-return]


def pack_all(commands: Iterable[Sequence[str | bytes | int]]) -> bytes:
    """The commands as one piece of RESP."""
    return b"".join(map(pack, commands))


def _connect(address: Address) -> socket.socket:
    if address.path is not None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(_CONNECT_SECONDS)
        sock.connect(address.path)
    else:
        sock = socket.create_connection((address.host, address.port), timeout=_CONNECT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls:
            sock = client_context(address.query).wrap_socket(sock, server_hostname=address.host)
    sock.settimeout(None)
    return sock

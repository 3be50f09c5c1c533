"""Just enough RESP2 for what looks like redis-cli: replies that keep their types apart.

redis-py hands out Python values, where the status `OK` and the string `"OK"` are the same. The
magics and the fallback `redis-cli` show the difference, as the original does.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class SimpleString:
    """A simple string, such as `OK`."""

    text: str


@dataclass(frozen=True)
class Failure:
    """An error reply."""

    text: str


Reply = SimpleString | Failure | int | bytes | list["Reply"] | None  # type: ignore[misc]


class RawConnection:
    """One connection that sends a command and reads its reply. Raises OSError."""

    def __init__(self, endpoint: tuple[str, int] | str) -> None:
        if isinstance(endpoint, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(endpoint)
        else:
            self._socket = socket.create_connection(endpoint)
        self._file: BinaryIO = self._socket.makefile("rb")

    @classmethod
    def to(cls, url: str) -> RawConnection:
        """Connect to `redis://[user][:password]@host:port[/database]` and log in."""
        parts = urlsplit(url)
        connection = cls((parts.hostname or "127.0.0.1", parts.port or 6379))
        connection.login(unquote(parts.username or ""), unquote(parts.password or ""))
        if database := parts.path.strip("/"):
            connection.call("SELECT", database)
        return connection

    def login(self, user: str, password: str) -> Reply:
        """Authenticate when there is a password; return the reply."""
        if not password:
            return None
        return self.call("AUTH", *([user] if user else []), password)

    def call(self, *words: str | bytes) -> Reply:
        """Send one command and return its reply; an error reply is returned, not raised."""
        raw = [word if isinstance(word, bytes) else word.encode() for word in words]
        out = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in raw)
        self._socket.sendall(b"*%d\r\n%s" % (len(raw), out))
        return self._read()

    def read(self) -> Reply:
        """Wait for a message that answers no command (MONITOR, SUBSCRIBE)."""
        return self._read()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def _read(self) -> Reply:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return SimpleString(rest.decode(errors="replace"))
        if kind == b"-":
            return Failure(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        raise ConnectionError(f"not a reply in RESP2: {line!r}")

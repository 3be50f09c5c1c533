"""The two sockets of a client: the one to redis-server, and when the client's own is read."""

from __future__ import annotations

import asyncio
from typing import Protocol

from minigears.door.redis import last_words


class Owner(Protocol):
    """The client, as its connection to redis-server knows it."""

    reading: Reading

    def from_redis(self, data: bytes) -> None:
        """Replies."""

    def backend_lost(self) -> None:
        """Redis has closed the connection, or is gone."""


class BackendSide(asyncio.Protocol):
    """The raw connection to redis-server."""

    def __init__(self, client: Owner):
        self._client = client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio calls this, and all that follow)."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Replies."""
        self._client.from_redis(data)

    def pause_writing(self) -> None:
        """Redis reads too slowly: take no more from the client."""
        self._client.reading.pause("backend")

    def resume_writing(self) -> None:
        """Redis has caught up."""
        self._client.reading.resume("backend")

    def connection_lost(self, exc: Exception | None) -> None:
        """Redis has closed the connection, or is gone."""
        if exc is not None and (said := last_words(self.transport)):
            self._client.from_redis(said)
        self._client.backend_lost()


class Reading:
    """Reads from a socket while there is no reason not to."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._pauses: set[str] = set()

    @property
    def tls(self) -> bool:
        """Whether the client speaks TLS."""
        return bool(self.transport and self.transport.get_extra_info("sslcontext"))

    def pause(self, reason: str) -> None:
        """Stop reading for one more reason."""
        if self.transport and not self._pauses and not self.transport.is_closing():
            self.transport.pause_reading()
        self._pauses.add(reason)

    def resume(self, reason: str) -> None:
        """A reason not to read is over."""
        if reason in self._pauses:
            self._pauses.discard(reason)
            if self.transport and not self._pauses and not self.transport.is_closing():
                self.transport.resume_reading()

"""One of the two sockets to the executor: frames in, frames out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from minigears.link import FrameReader, encode

_MAX_UNREAD = 1 << 20
"""Bytes for an executor that reads slowly, before news of streams and events wait."""


class Pipe(asyncio.Protocol):
    """Hands on each frame that comes, and tells when the other side is full."""

    def __init__(
        self,
        on_frame: Callable[[Any], None],
        on_lost: Callable[[], None],
        on_room: Callable[[], None] = lambda: None,
    ):
        self._frames = FrameReader()
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_room = on_room
        self.full = False
        """Whether the other side has much left to read."""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio calls this, and all but the last two)."""
        socket_pair = cast(asyncio.Transport, transport)
        socket_pair.set_write_buffer_limits(high=_MAX_UNREAD)
        self.transport = socket_pair

    def pause_writing(self) -> None:
        """The other side reads too slowly."""
        self.full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.full = False
        self._on_room()

    def data_received(self, data: bytes) -> None:
        """Hand on what is whole."""
        for frame in self._frames.feed(data):
            self._on_frame(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._on_lost()

    def send(self, frame: Any) -> None:
        """Send a frame; nothing once the other side is gone."""
        if self.transport and not self.transport.is_closing():
            self.transport.write(encode(frame))

    def close(self) -> None:
        """Close without waiting."""
        if self.transport:
            self.transport.close()

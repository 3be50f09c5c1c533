"""Connections to redis-server that many clients share, each for one command at a time.

A client that waits for every reply keeps two sockets of the door and one of Redis busy with a few
bytes. What such clients send in one turn of the event loop goes to Redis in one write here, and their
replies come back in one read. See `shared.py` for the commands, `sharing.py` for the clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from minigears.address import Address
from minigears.door.backend import BackendError, Connection, connect
from minigears.door.shared import ReplyCutter, Use
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import ProtocolError

log = logging.getLogger(__name__)


class Rider(Protocol):
    """Who sends a command on a lane."""

    def answered(self, piece: bytes, whole: bool) -> None:
        """Take a piece of the reply; `whole` when it is the last."""


class Lane(Connection):
    """One shared connection. `call` is for its own first words, `carry` for all that follows."""

    def __init__(self) -> None:
        super().__init__()
        self._riders: deque[Rider] = deque()
        self._out: list[bytes] = []
        self._cutter = ReplyCutter()
        self._loop = asyncio.get_running_loop()

    def carry(self, rider: Rider, command: bytes) -> None:
        """Send one command of `shared.py`; its reply goes to the rider."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(command)
        self._riders.append(rider)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        """Hand each reply to its rider (asyncio calls this)."""
        riders = self._riders
        if not riders:
            super().data_received(data)
            return
        try:
            pieces = self._cutter.feed(data)
        except ProtocolError as error:
            log.error("shared connection: %s", error)
            self.close()
            return
        for piece, whole in pieces:
            rider = riders.popleft() if whole else riders[0]
            rider.answered(piece, whole)


class Lanes:
    """The shared connections: for reads and for writes, in RESP2 and in RESP3."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, Use], Lane] = {}

    @property
    def open(self) -> bool:
        """Whether clients may share connections."""
        return bool(self._lanes)

    def lane(self, protocol: int, use: Use) -> Lane | None:
        """The lane for a command of a client that speaks this RESP version."""
        return self._lanes.get((protocol, use))

    async def connect(self, address: Address) -> list[asyncio.Future[None]]:
        """Open them all as a client that has not logged in; returns futures, done when one is lost.

        Without what they need of Redis there are none, and every client has its own connection only.
        Raises BackendError when Redis is not there.
        """
        self._lanes = {}
        opened: dict[tuple[int, Use], Lane] = {}
        for protocol in (2, 3):
            for use in Use:
                lane = opened[protocol, use] = await connect(address, Lane)
                try:
                    await lane.call("HELLO", protocol)
                    await lane.call("PUBLISH", OFFSET_CHANNEL, "")
                except BackendError as error:
                    log.info("clients do not share connections: %s", error)
                    for unused in opened.values():
                        unused.close()
                    return []
        self._lanes = opened
        return [lane.closed for lane in opened.values()]

    def close(self) -> None:
        """Let nobody on any more; who is on its way arrives."""
        self._lanes = {}

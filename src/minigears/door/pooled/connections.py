"""Connections to redis-server that many clients share, each for one command at a time.

A client that waits for every reply keeps two sockets of the door and one of Redis busy with a few
bytes. What such clients send in one turn of the event loop goes to Redis in one write here, and their
replies come back in one read. See `shareable.py` for the commands, `guest.py` for the clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from minigears.address import Address
from minigears.door.commands.shareable import ReplyCutter, Use
from minigears.door.redis import BackendError, Connection, connect
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import ProtocolError, encode_command

log = logging.getLogger(__name__)

LIMITS = ("timeout", "client-output-buffer-limit", "maxmemory-clients")
"""Settings with which Redis closes connections: an idle one, or the one that holds most. Of a client that
shares it would be the wrong one."""


class Rider(Protocol):
    """Who sends a command on a connection."""

    def answered(self, piece: bytes, whole: bool) -> None:
        """Take a piece of the reply; `whole` when it is the last."""


class _Nobody:
    """Rides for the connection's own sake."""

    def answered(self, piece: bytes, whole: bool) -> None:
        """Nothing to do."""


_NOBODY = _Nobody()
_PING = encode_command([b"PING"])


class PooledConnection(Connection):
    """One shared connection. `call` is for its own first words, `carry` for all that follows."""

    def __init__(self, before: Callable[[], None], cannot_tell: Callable[[], None]):
        """Calls `before` whenever it is about to send commands of clients.

        It calls `cannot_tell` when it cannot know whose reply is whose, and closes.
        """
        super().__init__()
        self._before = before
        self._cannot_tell = cannot_tell
        self._riders: deque[Rider] = deque()
        self._out: list[bytes] = []
        self._crowd = 0
        """How many commands the last turn had: one that had none beside it need not wait for others."""
        self._cutter = ReplyCutter()
        self._loop = asyncio.get_running_loop()

    def carry(self, rider: Rider, command: bytes) -> None:
        """Send one command of `shareable.py`; its reply goes to the rider.

        Once the connection is lost, nothing: the door is about to close whoever is on it.
        """
        if self._transport is None or self._transport.is_closing():
            return
        alone = self._crowd < 2 and not self._riders
        self._riders.append(rider)
        if alone:
            self._before()
            self._transport.write(command)
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(command)

    def _flush(self) -> None:
        out, self._out = self._out, []
        self._crowd = len(out)
        if self._transport is not None and not self._transport.is_closing():
            self._before()
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
            log.error("clients do not share connections any more: %s", error)
            self._cannot_tell()
            self.close()
            return
        for piece, whole in pieces:
            rider = riders.popleft() if whole else riders[0]
            rider.answered(piece, whole)


class ConnectionPool:
    """The shared connections: for reads and for writes, in RESP2 and in RESP3."""

    def __init__(self, before: Callable[[], None]) -> None:
        """`before` is called whenever commands of clients are about to be sent."""
        self._before = before
        self._reads: dict[int, PooledConnection] = {}
        self._writes: dict[int, PooledConnection] = {}
        self._all: list[PooledConnection] = []
        self._to_answer = 0
        """Connections of which it is not known yet whether they may be used."""
        self._unfit = False
        """Whether Redis refuses `PUBLISH`, or gave a reply that cannot be told from the next."""

    @property
    def open(self) -> bool:
        """Whether clients may share connections."""
        return bool(self._writes)

    def connection(self, protocol: int, use: Use) -> PooledConnection | None:
        """The connection for a command of a client that speaks this RESP version."""
        return (self._writes if use is Use.WRITES else self._reads).get(protocol)

    async def connect(self, address: Address) -> list[asyncio.Future[None]]:
        """Open them all as a client that has not logged in; returns futures, done when one is lost.

        Nobody uses them before Redis has agreed to `PUBLISH` on each, which `CLIENT PAUSE` puts off.
        Where it refuses, every client uses its own connection only.
        """
        self.disconnect()
        try:
            for protocol in (2, 3, 2, 3):
                connection = await connect(
                    address, lambda: PooledConnection(self._before, self._cannot_tell)
                )
                self._all.append(connection)
                await connection.call("HELLO", protocol)
        except BackendError as error:
            log.info("clients do not share connections: %s", error)
            self.disconnect()
            return []
        self._to_answer = len(self._all)
        for connection in self._all:
            connection.send(self._allowed, "PUBLISH", OFFSET_CHANNEL, "")
        return [connection.closed for connection in self._all]

    def _allowed(self, reply: Any) -> None:
        if isinstance(reply, BackendError):
            return  # it is lost, and so are all the others soon
        self._to_answer -= 1
        if not isinstance(reply, int):
            log.info("clients do not share connections: %s", reply)
            self._unfit = True
        if not (self._to_answer or self._unfit):
            self._reads = dict(zip((2, 3), self._all[:2], strict=True))
            self._writes = dict(zip((2, 3), self._all[2:], strict=True))

    def beat(self) -> None:
        """Say something, so that Redis does not take the connections for idle ones."""
        if not self._to_answer:
            for connection in self._all:
                connection.carry(_NOBODY, _PING)

    def told(self, reply: Any) -> None:
        """Take Redis's reply to `CONFIG GET` of the limits; nobody shares where there is one."""
        limits = dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else {}
        if not (
            limits.get(b"timeout") == b"0"
            and limits.get(b"client-output-buffer-limit", b"").startswith(b"normal 0 0 0 ")
            and limits.get(b"maxmemory-clients") == b"0"
        ):
            self.close()

    def disconnect(self) -> None:
        """Close what is open."""
        self.close()
        for connection in self._all:
            connection.close()
        self._all = []

    def close(self) -> None:
        """Let nobody on any more; who is on its way arrives."""
        self._reads, self._writes = {}, {}

    def _cannot_tell(self) -> None:
        self._unfit = True
        self.close()

"""Connections to redis-server that many clients share, each for one command at a time.

A client that waits for every reply keeps two sockets of the door and one of Redis busy with a few
bytes. What such clients send in one turn of the event loop goes to Redis in one write here, and their
replies come back in one read. See `shareable.py` for the commands, `guest.py` for the clients.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from minigears.address import Address
from minigears.door.capture.calls import Write, call, calls
from minigears.door.commands.shareable import ReplyCutter, Use
from minigears.door.events.crossing import Crossing
from minigears.door.redis import BackendError, Connection, connect
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import ProtocolError, encode_command

log = logging.getLogger(__name__)

_WRITES = Use.WRITES  # Python 3.11 takes its time to find the member of an enum

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


class _Bundle:
    """Rides before those whose writes go in one call: the reply is an array of theirs, or an error about all."""

    def __init__(self, riders: deque[Rider], count: int):
        self._riders = riders
        self.count = count

    def answered(self, piece: bytes, whole: bool) -> None:
        """What has come is no array: none of them was carried out."""
        for _ in range(self.count):
            self._riders.popleft().answered(piece, whole)


_MOST = 64
"""Captured writes in one call, which keeps others waiting."""

_NOBODY = _Nobody()
_PING = encode_command([b"PING"])


class PooledConnection(Connection):
    """One shared connection. `call` is for its own first words, `carry` for all that follows."""

    def __init__(
        self,
        protocol: int,
        before: Callable[[], None],
        cross: Callable[[], Crossing],
        cannot_tell: Callable[[], None],
    ):
        """Speaks this RESP version; calls `before` whenever it is about to send commands of clients.

        `cross` is for those that concern a registration.

        It calls `cannot_tell` when it cannot know whose reply is whose, and closes.
        """
        super().__init__()
        self._protocol = protocol
        self._before = before
        self._cross = cross
        self._crossing: Crossing | None = None
        self._cannot_tell = cannot_tell
        self._riders: deque[Rider] = deque()
        self._out: list[bytes] = []
        self._captured: dict[int, list[tuple[Rider, Write]]] = {}
        """By the queue's identity: its own hash takes its time."""
        self._crowd = 0
        """How many commands the last turn had: one that had none beside it need not wait for others."""
        self._cutter = ReplyCutter()
        self._loop = asyncio.get_running_loop()

    @property
    def _alone(self) -> bool:
        return self._crowd < 2 and not (self._riders or self._captured)

    @property
    def crossing(self) -> Crossing | None:
        """For a write about a registration that is carried next, if it leaves alone; several share a PING."""
        self._crossing = self._cross() if self._alone else None
        return self._crossing

    def carry(self, rider: Rider, command: bytes) -> None:
        """Send one command of `shareable.py`; its reply goes to the rider.

        Once the connection is lost, nothing: the door is about to close whoever is on it.
        """
        alone = self._alone
        self._riders.append(rider)
        if alone:
            self._write(command)
            return
        if not (self._out or self._captured):
            self._loop.call_soon(self._flush)
        self._out.append(command)

    def capture(self, rider: Rider, write: Write) -> None:
        """The same for a write that is captured: those of one turn go in one call."""
        if self._alone:
            self.carry(rider, call(write, self._protocol))
            return
        if not (self._out or self._captured):
            self._loop.call_soon(self._flush)
        self._captured.setdefault(id(write.queue), []).append((rider, write))

    def _flush(self) -> None:
        out, self._out = self._out, []
        captured, self._captured = self._captured, {}
        self._crowd = len(out) + sum(map(len, captured.values()))
        for into in captured.values():
            out += [self._capture_together(into[i : i + _MOST]) for i in range(0, len(into), _MOST)]
        self._write(b"".join(out))

    def _capture_together(self, found: list[tuple[Rider, Write]]) -> bytes:
        riders, writes = zip(*found, strict=True)
        if len(riders) > 1:
            self._riders.append(_Bundle(self._riders, len(riders)))
        self._riders.extend(riders)
        return calls(writes, self._protocol)

    def _write(self, commands: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._before()
            if self._crossing is not None:
                commands += self._behind(self._crossing)
            self._transport.write(commands)

    def _behind(self, crossing: Crossing) -> bytes:
        """What goes behind the commands of a piece, for those that concern a registration."""
        self._crossing = None
        packed = crossing.behind()
        self._riders.append(crossing)
        if crossing.type is not None:
            self._riders.append(crossing.type)
        return packed

    def data_received(self, data: bytes) -> None:
        """Hand each reply to its rider (asyncio calls this)."""
        riders = self._riders
        if not riders:
            super().data_received(data)
            return
        try:
            for piece, whole in self._cutter.feed(data):
                if whole is None:
                    self._bundle_answered(int(piece[1:]))
                    continue
                rider = riders.popleft() if whole else riders[0]
                rider.answered(piece, whole)
        except ProtocolError as error:
            log.error("clients do not share connections any more: %s", error)
            self._cannot_tell()
            self.close()

    def _bundle_answered(self, count: int) -> None:
        """An array of so many has begun: they are the replies of those that ride behind."""
        bundle = self._riders.popleft() if self._riders else None
        if not (isinstance(bundle, _Bundle) and bundle.count == count):
            raise ProtocolError("a reply is an array that was not to come")


class ConnectionPool:
    """The shared connections: for reads and for writes, in RESP2 and in RESP3."""

    def __init__(self, before: Callable[[], None], cross: Callable[[], Crossing]) -> None:
        """`before` is called whenever commands of clients are about to be sent, `cross` for those that concern
        a registration."""
        self._before = before
        self._cross = cross
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
        return (self._writes if use is _WRITES else self._reads).get(protocol)

    async def connect(self, address: Address) -> list[asyncio.Future[None]]:
        """Open them all as a client that has not logged in; returns futures, done when one is lost.

        Nobody uses them before Redis has agreed to `PUBLISH` on each, which `CLIENT PAUSE` puts off.
        Where it refuses, every client uses its own connection only.
        """
        self.disconnect()
        try:
            for protocol in (2, 3, 2, 3):
                connection = await connect(
                    address,
                    functools.partial(
                        PooledConnection, protocol, self._before, self._cross, self._cannot_tell
                    ),
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

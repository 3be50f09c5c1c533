"""One client's two sockets: its connection and its own connection to redis-server, and how both end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from minigears.door.backend import BackendError, connect
from minigears.door.conversation import Conversation
from minigears.door.sharing import Sharing
from minigears.door.sockets import BackendSide
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import encode_error

if TYPE_CHECKING:
    from minigears.door.door import Door

_LAST_WORDS = 2.0  # seconds for what a client sent before it left and that has not gone to Redis
_UNASKED = (b"-DENIED ", b"-ERR max number of clients")
"""Errors that Redis sends to whom it does not let in at all, before it closes."""


class Client(Conversation, asyncio.Protocol):
    """Relays one client; see `Door` for what it asks of the rest."""

    def __init__(self, door: Door):
        super().__init__(door)
        self._front: asyncio.Transport | None = None
        self._backend: BackendSide | None = None
        self._sharing: Sharing | None = Sharing(self, door)
        """What takes the client's bytes until it needs its own connection."""
        self._resuming = False
        """Whether the task carries out what came while the client still shared."""
        self.gone = False
        self._leaving = False
        """Whether the client sends no more."""
        self._lost = False
        """Whether redis-server has closed its side."""

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the client and connect it to redis-server; what it says meanwhile waits."""
        self._front = self.reading.transport = transport  # type: ignore[assignment]
        self._door.clients.add(self)
        self._start(self._connect())

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._sharing:
            self._sharing.received(data)
        else:
            self._received(data)

    def pause_writing(self) -> None:
        """The client reads too slowly: stop reading what Redis answers."""
        if self._sharing:
            self._sharing.slow()
        if self._backend and self._backend.transport:
            self._backend.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._backend and self._backend.transport:
            self._backend.transport.resume_reading()

    def eof_received(self) -> bool:
        """The client sends no more: Redis is told so, answers what came before, and closes.

        Under TLS, where nobody can close one half, the client counts as gone.
        """
        if self._door.address.tls or self.reading.tls:
            return False
        self._leaving = True
        self._more.set()
        if self._sharing and self._sharing.away:
            pass  # it ends once that is answered
        elif self._task is None:
            self._end_input()
        elif self._backend:
            self._last_words()
        return True

    def _end_input(self) -> None:
        transport = self._backend.transport if self._backend else None
        if transport and not transport.is_closing():
            transport.write_eof()

    def _last_words(self) -> None:
        """Behind one that waits in Redis for others, what is left would keep Redis from knowing."""
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._cut_short)

    def _cut_short(self) -> None:
        if self._serving:
            self._last_words()
        elif self._task:
            self._task.cancel()
            self._end_input()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; its writes that Redis already has are still followed to their end."""
        self.gone = True
        if self._backend is None or self._resuming or (self._sharing and self._sharing.away):
            return  # what was sent before leaving is carried out all the same
        if self._serving:  # others wait for the end of what has begun
            self._more.set()
        elif self._task:
            self._task.cancel()
        self._close_if_done()

    # its own connection to redis-server

    async def _connect(self) -> None:
        await self._door.connected.wait()
        try:
            self._backend = await connect(self._door.address, lambda: BackendSide(self))
        except BackendError as error:
            self._task = None
            self.refuse(str(error))
            return
        await self._introduce()
        if self._sharing:
            self._sharing.connected()
        if self._sharing is None:
            await self._go_on()
        else:
            self._task = None

    async def _introduce(self) -> None:
        """Ask Redis whether it serves this client as it is; if not, replies are counted from here.

        Whom Redis does not let say PING, no marker would find later.
        """
        self._serving = True
        self.replies.count_from_start()
        try:
            reply = await self.ask([b"PING"])
        finally:
            self._serving = False
        self._welcome = reply.startswith(b"+")
        if self._welcome:
            self.trust(count=False)
        elif reply.startswith(_UNASKED):
            self.write(reply)

    def from_redis(self, data: bytes) -> None:
        """Bytes from the client's own connection to redis-server."""
        if self._sharing:
            self._sharing.from_own(data)
        self.replies.feed(data)

    def backend_lost(self) -> None:
        """redis-server has closed: so do we, as it would have, behind the replies that wait."""
        self._backend = None
        self._lost = True
        if self._task:
            self._task.cancel()
        if holds := self.replies.abandon():
            self._door.settle(holds, lambda: self._settled(holds))
        self._close_if_done()

    # what the conversation and the rest of the door use

    def send(self, raw: bytes) -> None:
        """Send to the client's own connection to redis-server; nothing once that is gone."""
        if self._backend and self._backend.transport:
            self._backend.transport.write(raw)

    def write(self, data: bytes) -> None:
        """Pass a reply on; nothing once the client is gone."""
        if self._front and not self.gone:
            self._front.write(data)

    @property
    def ending(self) -> bool:
        """Whether nothing more comes from the client."""
        return self.gone or self._leaving

    def refuse(self, message: str) -> None:
        """Say what is wrong and close."""
        self.write(encode_error(f"ERR {message}"))
        self.close()

    def close(self) -> None:
        """Close both sides once what was written has left."""
        if self._front:
            self._front.close()
        self._close_backend()

    # shared connections, and back from them

    @property
    def shares(self) -> bool:
        """Whether what it says next may go over a shared connection."""
        return self._sharing is not None and self._sharing.begun

    @property
    def may_share(self) -> bool:
        """Whether its commands could come from anybody."""
        return self._welcome and not self.ending

    def own_way(self, data: bytes) -> None:
        """The sharing is over: `data`, and all that follows, goes to the client's own connection."""
        wrote = self._sharing is not None and self._sharing.wrote
        self._sharing = None
        if wrote:
            self._resuming = True
            self._start(self._resume())
        if data:
            self._received(data)
        if self._task is None:
            self.came_to_rest()

    async def _resume(self) -> None:
        """Let Redis know that WAIT on this connection is about the writes on others, too."""
        self.replies.count_from_start()
        await self.ask([b"PUBLISH", OFFSET_CHANNEL, b""])
        self.replies.stop_counting()
        self._resuming = False
        await self._go_on()

    async def _go_on(self) -> None:
        """Serve what is pending. What a client sent before it left is carried out, as Redis does."""
        if self._leaving:
            self._last_words()
        if not self.gone:
            await self._specials()
            return
        with contextlib.suppress(asyncio.TimeoutError):  # waiting for more is not
            await asyncio.wait_for(self._specials(), _LAST_WORDS)
        self._close_if_done()

    def came_to_rest(self) -> None:
        """Nothing is on its way now: pass on that the client sends no more, and close if both are done."""
        if self._leaving and not self._task:
            self._end_input()
        self._close_if_done()

    def _close_if_done(self) -> None:
        """Close once a side has gone and nothing that the client asked for is left to do."""
        if self._lost and not self.replies.waiting:
            self.close()
        elif self.gone and not self._serving and (self.replies.blocked or not self.replies.waiting):
            self._close_backend()

    def _close_backend(self) -> None:
        self._door.clients.discard(self)
        if self._backend and self._backend.transport:
            self._backend.transport.close()

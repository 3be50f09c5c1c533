"""One client's two sockets: its connection and its own connection to redis-server, and how both end."""

from __future__ import annotations

import asyncio

from minigears.door.availability import Availability
from minigears.door.clients.conversation import Conversation, Serve
from minigears.door.clients.sockets import BackendSide
from minigears.door.clients.states import AT_REST, HAS_TASK, SHARING, Front, State, Transition
from minigears.door.clients.unavailable import UNAVAILABLE, Refusal
from minigears.door.events.watch import Watch
from minigears.door.pooled.connections import ConnectionPool
from minigears.door.pooled.guest import Sharing
from minigears.door.redis import BackendError, connect
from minigears.protocol import encode_error

_LAST_WORDS = 2.0  # seconds for what a client sent before it left and that has not gone to Redis
_GONE = Front.GONE  # Python 3.11 takes its time to find the member of an enum
_UNASKED = (b"-DENIED ", b"-ERR max number of clients")
"""Errors that Redis sends to whom it does not let in at all, before it closes."""


class Client(Conversation, asyncio.Protocol):
    """Relays one client."""

    def __init__(
        self,
        watch: Watch,
        serve: Serve,
        pool: ConnectionPool,
        availability: Availability,
        clients: set[Client],
    ):
        """It is one of `clients` as long as a side of it is open."""
        super().__init__(watch, serve)
        self._availability = availability
        self._clients = clients
        self._transport: asyncio.Transport | None = None
        self._backend: BackendSide | None = None
        self._introduced = False
        """Whether Redis has answered what it is asked first."""
        self._turned_away = False
        """Whether Redis says, unasked, that it does not let the client in."""
        self._sharing: Sharing | None = Sharing(self, watch, pool, clients, self.place)
        """What takes the client's bytes until it needs its own connection."""
        self._refusal = Refusal()
        self._front = Front.OPEN
        self._lost = False
        """Whether redis-server has closed its side."""
        self._last_words: asyncio.TimerHandle | None = None

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the client and connect it to redis-server; what it says meanwhile waits."""
        self._transport = self.reading.transport = transport  # type: ignore[assignment]
        self._clients.add(self)
        self._run(self._connect())

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._sharing is None:
            self._received(data)
        elif self.place.now is State.UNAVAILABLE:
            self._refuse_for_now(data)
        else:
            self._sharing.received(data)

    def pause_writing(self) -> None:
        """The client reads too slowly: stop reading what Redis answers."""
        if self._sharing:
            self._sharing.slow()
        if self.place.now is State.UNAVAILABLE:
            self.reading.pause("slow")
        self.hearing.pause("client")

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.reading.resume("slow")
        self.hearing.resume("client")

    def eof_received(self) -> bool:
        """The client sends no more: Redis is told so, answers what came before, and closes.

        Under TLS, where nobody can close one half, the client counts as gone.
        """
        if self._watch.address.tls or self.reading.tls:
            return False
        self._front = Front.LEAVING
        self._left()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; its writes that Redis already has are still followed to their end."""
        self._front = Front.GONE
        if (
            self.replies.blocked
        ):  # Redis has to know, or it would give to nobody what somebody sends
            self._cut_short()
        else:
            self._left()

    def _left(self) -> None:
        """The client sends no more: what it sent still goes to Redis, if that is soon."""
        self._more.set()
        if self.place.now in AT_REST:
            self.came_to_rest()
        elif self.place.now is State.CONNECTING and not self._availability.available.is_set():
            self.turn_away()  # it will not hear whether it was done once redis-server is back
        elif self._last_words is None:
            loop = asyncio.get_running_loop()
            self._last_words = loop.call_later(_LAST_WORDS, self._cut_short)

    def _cut_short(self) -> None:
        """Drop what still waits here: who asked for it is long gone, or has given up."""
        self.abandoned = True
        self._pending.clear()
        if self._sharing:
            self._sharing.take_held()
        if self.place.now in (State.CONNECTING, State.INTRODUCING):
            self.turn_away()
        elif self.place.now is State.WAITING and self._task:
            self._task.cancel()
            self._rest()
        self._close_if_done()

    def _end_input(self) -> None:
        transport = self._backend.transport if self._backend else None
        if transport and not transport.is_closing():
            transport.write_eof()

    # its own connection to redis-server

    async def _connect(self) -> None:
        try:
            if not await self._find_redis():
                self.close()
                return
            self._backend = await connect(self._watch.address, lambda: BackendSide(self))
        except BackendError as error:
            self.refuse(str(error))
            return
        self.hearing.transport = self._backend.transport
        self.place.take(Transition.INTRODUCE)
        await self._introduce()
        self._task = None
        if self._sharing:
            self._sharing.connected()

    async def _find_redis(self) -> bool:
        """Wait for redis-server; whoever speaks meanwhile is told to try again.

        In the end it is no use to them, which is returned: part of a transaction would have been
        refused, and the rest carried out.
        """
        while not self._availability.available.is_set():
            if await self._availability.comes_back_soon():
                break
            self.place.take(Transition.FIND_NOBODY)
            if self._sharing and (held := self._sharing.take_held()):
                self._refuse_for_now(held)
            await self._availability.available.wait()
            self.place.take(Transition.TRY)
        return not self._refusal.used

    def _refuse_for_now(self, data: bytes) -> None:
        self.write(self._refusal.answer(data))
        if self._refusal.over or self.ending:
            self.close()

    async def _introduce(self) -> None:
        """Ask Redis whether it serves this client as it is; if not, replies are counted from here.

        Whom Redis does not let say PING, no marker would find later.
        """
        self.replies.count_from_start()
        reply = await self.ask([b"PING"])
        self._introduced = True
        self._welcome = reply.startswith(b"+")
        if self._welcome:
            self.trust(count=False)

    def from_redis(self, data: bytes) -> None:
        """Bytes from the client's own connection to redis-server."""
        if not self._introduced and (self._turned_away or data.startswith(_UNASKED)):
            self._turned_away = True
            self.write(data)  # it is no answer to anything: Redis closes
            return
        self.replies.feed(data)
        if self.replies.kept_bytes and self.replies.full:
            self.hearing.pause("held")
        if self._sharing:
            self._sharing.from_own(data)

    def backend_lost(self) -> None:
        """redis-server has closed: so do we, as it would have, behind the replies that wait."""
        self._backend = None
        self._lost = True
        if self._task:
            self._task.cancel()
        if holds := self.replies.abandon():
            self._watch.settle(holds, lambda: self._settled(holds))
        self._close_if_done()

    # what the conversation and the rest of the door use

    def send(self, raw: bytes) -> None:
        """Send to the client's own connection to redis-server; nothing once that is gone."""
        if self._backend and self._backend.transport:
            self._backend.transport.write(raw)

    def write(self, data: bytes) -> None:
        """Pass a reply on; nothing once the client is gone."""
        if data and self._transport and self._front is not _GONE:
            self._transport.write(data)

    @property
    def address(self) -> bytes:
        """The client's, as Redis would tell it; empty where it has none."""
        there = self._transport is not None and not self._transport.is_closing()
        peer = self._transport.get_extra_info("peername") if there and self._transport else None
        return b"%b:%d" % (peer[0].encode(), peer[1]) if isinstance(peer, tuple) else b""

    @property
    def ending(self) -> bool:
        """Whether nothing more comes from the client."""
        return self._front is not Front.OPEN

    @property
    def one_sided(self) -> bool:
        """Whether the client sends no more, or redis-server has closed the client's own connection."""
        return self._lost or self.ending

    def refuse(self, message: str) -> None:
        """Say what is wrong and close."""
        self.write(encode_error(f"ERR {message}"))
        self.close()

    def turn_away(self) -> None:
        """Say that redis-server does not answer, and close.

        Nothing is said to who waits for other replies, too: it would be taken for one of them.
        """
        if self.place.now is not State.WAITING:
            self.write(UNAVAILABLE)
        self.close()

    @property
    def stuck(self) -> bool:
        """Whether the client waits for something of the door's that waits for redis-server."""
        connecting = self.place.now in (State.CONNECTING, State.INTRODUCING)
        return connecting or (self.place.now in HAS_TASK and self.asking)

    @property
    def waiting(self) -> bool:
        """Whether a write of this client is on its way through its functions."""
        return self.replies.waiting or (self._sharing is not None and self._sharing.waiting)

    def close(self) -> None:
        """Close both sides once what was written has left."""
        if self._transport:
            self._transport.close()
        self._close_backend()

    # shared connections, and back from them

    @property
    def shares(self) -> bool:
        """Whether what it says next may go over a shared connection."""
        return self.place.now in SHARING

    @property
    def may_share(self) -> bool:
        """Whether its commands could come from anybody."""
        return self._welcome and not self.ending

    def own_way(self, data: bytes) -> None:
        """The sharing is over: `data`, and all that follows, goes to the client's own connection.

        Raises:
            WrongStateError: something is still on its way, here or there.
        """
        self.place.take(Transition.PART)
        self._batches.wrote_elsewhere = self._sharing is not None and self._sharing.wrote
        if self._sharing is not None:
            self.protocol = self._sharing.protocol
        self._sharing = None
        if data:
            self._received(data)
        self.came_to_rest()

    def came_to_rest(self) -> None:
        """Less is on its way now: pass on that the client sends no more, and close if both are done."""
        if self.place.now in AT_REST:
            if self._last_words:
                self._last_words.cancel()
                self._last_words = None
            if self.place.now is State.UNAVAILABLE and self.ending:
                self.close()
            elif self._front is Front.LEAVING:
                self._end_input()
        self._close_if_done()

    def _close_if_done(self) -> None:
        """Close once a side has gone and nothing that the client asked for is left to do."""
        if self._lost and not self.waiting:
            self.close()
            return
        unheard = self.replies.blocked or not self.waiting
        if unheard and self._front is Front.GONE and self.place.now in AT_REST:
            self._close_backend()

    def _close_backend(self) -> None:
        self.place.take(Transition.CLOSE)
        self._clients.discard(self)
        connecting = self._backend is None and self._task
        if connecting and self._task is not asyncio.current_task():
            connecting.cancel()
        if self._backend and self._backend.transport:
            self._backend.transport.close()

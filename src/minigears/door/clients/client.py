"""One client's two sockets: its connection and its own connection to redis-server, and how both end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from minigears.door.availability import Availability
from minigears.door.clients.conversation import Conversation
from minigears.door.clients.sockets import BackendSide, Reading
from minigears.door.clients.states import ARRIVING, AT_REST, SHARING, Place, Side, State, Transition
from minigears.door.clients.unavailable import UNAVAILABLE, Refusal
from minigears.door.events.watch import Watch
from minigears.door.pooled.connections import ConnectionPool
from minigears.door.pooled.guest import Sharing
from minigears.door.redis import BackendError, connect
from minigears.protocol import Command, encode_error

_LAST_WORDS = 2.0  # seconds for what a client sent before it left and that has not gone to Redis
_OPEN, _GONE = Side.OPEN, Side.GONE  # Python 3.11 takes its time to find the member of an enum
_UNAVAILABLE = State.UNAVAILABLE
_UNASKED = (b"-DENIED ", b"-ERR max number of clients")
"""Errors that Redis sends to whom it does not let in at all, before it closes."""

Serve = Callable[[Conversation, Command], Coroutine[Any, Any, None]]
"""Serves a command of kind SPECIAL for a client all of whose earlier ones are answered."""


class Client(asyncio.Protocol):
    """Relays one client: has done what its conversation says."""

    def __init__(
        self,
        watch: Watch,
        serve: Serve,
        pool: ConnectionPool,
        availability: Availability,
        clients: set[Client],
    ):
        """It is one of `clients` as long as a side of it is open."""
        self._watch = watch
        self._serve = serve
        self._availability = availability
        self._clients = clients
        self._transport: asyncio.Transport | None = None
        self._backend: BackendSide | None = None
        self._front = self._back = Side.OPEN
        """The client's side, and redis-server's."""
        self.reading = Reading()
        self.hearing = Reading()
        """Of the client's own connection to redis-server."""
        self.place = Place()
        self.conversation = Conversation(watch, self, self.place)
        self.replies = self.conversation.replies
        self._received = self.conversation.received
        self._sharing: Sharing | None = Sharing(self, watch, pool, clients, self.place)
        """What takes the client's bytes until it needs its own connection."""
        self._refusal = Refusal()
        self._task: asyncio.Task[None] | None = None
        """Finds redis-server for the client, and later serves commands for it."""
        self._last_words: asyncio.TimerHandle | None = None

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the client and connect it to redis-server; what it says meanwhile waits."""
        self._transport = self.reading.transport = transport  # type: ignore[assignment]
        self._clients.add(self)
        self._run(self._connect(), None)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._sharing is None:
            self._received(data)
        elif self.place.now is _UNAVAILABLE:
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
        self._front = Side.LEAVING
        self._left()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; its writes that Redis already has are still followed to their end."""
        self._front = Side.GONE
        if (
            self.replies.blocked
        ):  # Redis has to know, or it would give to nobody what somebody sends
            self._cut_short()
        else:
            self._left()

    def _left(self) -> None:
        """The client sends no more: what it sent still goes to Redis, if that is soon."""
        if self.place.now in AT_REST:
            self.came_to_rest()
        elif self.place.now is State.CONNECTING and not self._availability.available.is_set():
            self.turn_away()  # it will not hear whether it was done once redis-server is back
        elif self._last_words is None:
            loop = asyncio.get_running_loop()
            self._last_words = loop.call_later(_LAST_WORDS, self._cut_short)

    def _cut_short(self) -> None:
        """Drop what still waits here: who asked for it is long gone, or has given up."""
        if self._sharing:
            self._sharing.take_held()
        if self.place.now in ARRIVING:
            self.turn_away()
        else:
            self.conversation.cut_short()
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
        if self.place.now is State.CONNECTING:
            self.place.take(Transition.INTRODUCE)
            self.conversation.introduce(self._introduced)

    def _introduced(self) -> None:
        """Redis has said whether it serves this client as it is."""
        if self._sharing and self.place.now is State.INTRODUCING:
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

    def from_redis(self, data: bytes) -> None:
        """Bytes from the client's own connection to redis-server."""
        if self._sharing is None:
            self.conversation.heard(data)
            return
        arriving = self.place.now in ARRIVING
        if arriving and data.startswith(_UNASKED):
            self.place.take(Transition.TURN_AWAY)
        if self.place.now is State.TURNED_AWAY:
            self.write(data)  # it is no answer to anything: Redis closes
            return
        self.conversation.heard(data)
        if self._sharing and not arriving:
            self._sharing.from_own(data)

    def backend_lost(self) -> None:
        """redis-server has closed: so do we, as it would have, behind the replies that wait."""
        self._backend = None
        self._back = Side.GONE
        if self._task:
            self._task.cancel()
        self.conversation.lost()
        self._close_if_done()

    # commands that are served

    def serve(self, argv: Command) -> None:
        """Have a command served; the conversation goes on when that is done."""
        self._run(self._serve(self.conversation, argv), self.conversation.served)

    def _run(self, work: Coroutine[Any, Any, None], then: Callable[[], None] | None) -> None:
        task = self._task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: self._ended(done, then))

    def _ended(self, task: asyncio.Task[None], then: Callable[[], None] | None) -> None:
        if self._task is task:
            self._task = None
        if task.cancelled():
            return
        if error := task.exception():
            self.failed(error)
        elif then:
            then()

    def failed(self, error: BaseException) -> None:
        """A client for whom something went wrong here is not left without a word: it is closed."""
        self._watch.loops.failed("serving a client", error)
        self.refuse("minigears failed; its log says how")

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
        return self._front is not _OPEN

    @property
    def one_sided(self) -> bool:
        """Whether the client sends no more, or redis-server has closed the client's own connection."""
        return self._back is _GONE or self._front is not _OPEN

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
        return self.place.now in ARRIVING or self.conversation.stuck

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
        return self.conversation.welcome and not self.ending

    def own_way(self, data: bytes) -> None:
        """The sharing is over: `data`, and all that follows, goes to the client's own connection.

        Raises:
            WrongStateError: something is still on its way, here or there.
        """
        self.place.take(Transition.PART)
        sharing, self._sharing = self._sharing, None
        assert sharing is not None
        self.conversation.begin(data, sharing.protocol, sharing.wrote)
        self.came_to_rest()

    def came_to_rest(self) -> None:
        """Less is on its way now: pass on that the client sends no more, and close if both are done."""
        if self.place.now in AT_REST:
            if self._last_words:
                self._last_words.cancel()
                self._last_words = None
            if self.place.now is State.UNAVAILABLE and self.ending:
                self.close()
            elif self._front is Side.LEAVING:
                self._end_input()
        self._close_if_done()

    def _close_if_done(self) -> None:
        """Close once a side has gone and nothing that the client asked for is left to do."""
        if self._back is Side.GONE and not self.waiting:
            self.close()
            return
        unheard = self.replies.blocked or not self.waiting
        if unheard and self._front is Side.GONE and self.place.now in AT_REST:
            self._close_backend()

    def _close_backend(self) -> None:
        self.place.take(Transition.CLOSE)
        self._clients.discard(self)
        connecting = self._backend is None and self._task
        if connecting and self._task is not asyncio.current_task():
            connecting.cancel()
        if self._backend and self._backend.transport:
            self._backend.transport.close()

"""One client: its connection, its connection to redis-server, and the commands between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from minigears.door.backend import BackendError, connect
from minigears.door.batches import Batch, Batches
from minigears.door.classify import Kind, is_client_reply
from minigears.door.replystream import Hold, Mode, ReplyStream
from minigears.door.sharing import Sharing
from minigears.door.sockets import BackendSide, Reading
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import (
    Command,
    ProtocolError,
    RequestParser,
    encode_command,
    encode_error,
)

if TYPE_CHECKING:
    from minigears.door.door import Door

_LAST_WORDS = 2.0  # seconds for what a client sent before it left and that has not gone to Redis
_MAX_BACKLOG = 1024
"""Commands of one client that may wait for functions, or to be served, before the door stops reading from it."""

_MAX_PENDING_BYTES = 1 << 20
"""Bytes that one client may send while a command of its own is being served; then the same holds."""

_MAX_UNAUTHENTICATED = 64 * 1024
"""Bytes of one command that are kept for a client that still has to log in; Redis keeps as little."""

_UNASKED = (b"-DENIED ", b"-ERR max number of clients")
"""Errors that Redis sends to whom it does not let in at all, before it closes."""


class Client(asyncio.Protocol):
    """Relays one client; see `Door` for what it asks of the rest."""

    def __init__(self, door: Door):
        self._door = door
        self._parser = RequestParser()
        self._front: asyncio.Transport | None = None
        self._backend: BackendSide | None = None
        self._pending: deque[Command] = deque()
        self._pending_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._sharing: Sharing | None = Sharing(self, door)
        """What takes the client's bytes until it needs its own connection."""
        self._resuming = False
        """Whether the task carries out what came while the client still shared."""
        self._serving = False
        """Whether the task is in the middle of a command that the door serves."""
        self.reading = Reading()
        self._batches = Batches()
        self._more = asyncio.Event()
        self._error: ProtocolError | None = None
        self.replies = ReplyStream(self.write, self._due)
        self.gone = False
        self._leaving = False
        """Whether the client sends no more."""
        self._lost = False
        """Whether redis-server has closed its side."""
        self._welcome = False
        """Whether Redis serves whoever has not logged in."""
        self._trusted = False
        """Whether Redis would serve this client: it asks for no password, or has had it."""

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

    def _received(self, data: bytes) -> None:
        if self._passing() and self._door.classifier.glance(data):
            self._send_raw(data)
            return
        try:
            commands = self._parser.feed(data)
        except ProtocolError:
            commands = []
        self._error = self._parser.error
        if self._task:
            self._pending.extend(commands)
            self._pending_bytes += len(data)
            self._more.set()
            if len(self._pending) > _MAX_BACKLOG or self._pending_bytes > _MAX_PENDING_BYTES:
                self.reading.pause("pending")
        elif commands:
            self._take(commands)
        if self._error or not self._trusted:
            self._check_input()

    def _passing(self) -> bool:
        """Whether nothing needs to be known of what comes next, if it is harmless."""
        between = not (self._task or self._batches.in_multi or self._parser.held or self._error)
        return between and self.replies.mode is Mode.PASSING

    def _check_input(self) -> None:
        """Refuse what makes no sense, and much from somebody who has not logged in."""
        if not self._trusted and self._parser.held > _MAX_UNAUTHENTICATED:
            if self._task:  # it may be logging in right now
                self.reading.pause("login")
            else:
                self.refuse("Protocol error: unauthenticated bulk length")
        elif self._error and not self._task:
            self._start(self._refuse_behind(str(self._error)))

    async def _refuse_behind(self, message: str) -> None:
        """Refuse what came behind commands that are still to be answered."""
        await self.drained()
        self.refuse(message)

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

    # what the rest of the door uses

    @property
    def waiting(self) -> bool:
        """Whether a write of this client is on its way through its functions."""
        return self.replies.waiting

    def refuse(self, message: str) -> None:
        """Say what is wrong and close."""
        self.write(encode_error(f"ERR {message}"))
        self.close()

    def trust(self, count: bool) -> None:
        """Redis has let the client log in; `count` says to go on counting replies. Only drained."""
        self._trusted = True
        if not (count or self.replies.discard):
            self.replies.stop_counting()

    def close(self) -> None:
        """Close both sides once what was written has left."""
        if self._front:
            self._front.close()
        self._close_backend()

    def backend_lost(self) -> None:
        """redis-server has closed: so do we, as it would have, behind the replies that wait."""
        self._backend = None
        self._lost = True
        if self._task:
            self._task.cancel()
        if holds := self.replies.abandon():
            self._door.settle(holds, lambda: self._settled(holds))
        self._close_if_done()

    # shared connections, and back from them

    @property
    def shares(self) -> bool:
        """Whether what it says next may go over a shared connection."""
        return self._sharing is not None and self._sharing.begun

    @property
    def may_share(self) -> bool:
        """Whether its commands could come from anybody."""
        return self._welcome and not self.ending

    @property
    def ending(self) -> bool:
        """Whether nothing more comes from the client."""
        return self.gone or self._leaving

    def from_redis(self, data: bytes) -> None:
        """Bytes from the client's own connection to redis-server."""
        if self._sharing:
            self._sharing.from_own(data)
        self.replies.feed(data)

    def send_own(self, data: bytes) -> None:
        """Send to the client's own connection what it said while it shares."""
        self._send_raw(data)

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
            if self._leaving:
                self._end_input()
            self._close_if_done()

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

    # commands

    def _take(self, commands: list[Command]) -> None:
        """Forward commands as they came if that is all they need, as nearly always."""
        classifier, batches = self._door.classifier, self._batches
        if not batches.in_multi and classifier.passes(commands, self._parser.raw):
            self.replies.sent(len(commands))
            self._send_raw(self._parser.raw)
            return
        batch = None
        if not batches.in_multi:
            batch = batches.whole(commands, classifier, self._counting)
        if batch is None:
            self._pending.extend(commands)
            self._advance()
            return
        self._send(self._parser.raw, batch)
        if self.replies.backlog > _MAX_BACKLOG:
            self.reading.pause("backlog")

    def _advance(self) -> None:
        """Forward what is pending up to the first command that needs more than forwarding."""
        self._forward(self._pending)
        if self._pending:
            self._start(self._specials())
        elif self.replies.backlog > _MAX_BACKLOG:
            self.reading.pause("backlog")

    def _forward(self, pending: deque[Command]) -> None:
        for batch in self._batches.cut(pending, self._door.classifier, self._counting):
            if batch.counted:
                self._send_raw(self.replies.start_counting(self._trusted))
            if batch.commands:
                self._send(b"".join(map(encode_command, batch.commands)), batch)

    @property
    def _counting(self) -> bool:
        return self.replies.mode is not Mode.PASSING

    def _send(self, raw: bytes, batch: Batch) -> None:
        if batch.keys:
            # The intent leaves the door before the write does.
            intent = self._door.journal.record(set(batch.keys))
            if self._door.delivery.crowded:
                self.reading.pause("crowded")
                self._door.when_room(batch.keys, lambda: self.reading.resume("crowded"))
            self.replies.sent_concerned(batch, intent)
        else:
            self.replies.sent(len(batch.commands))
        self._send_raw(raw)

    def _send_raw(self, raw: bytes) -> None:
        if self._backend and self._backend.transport:
            self._backend.transport.write(raw)

    def write(self, data: bytes) -> None:
        """Pass a reply on."""
        if self._front and not self.gone:
            self._front.write(data)

    # replies that wait

    def _due(self, holds: list[Hold]) -> None:
        """The replies of these writes have arrived: wait for their functions."""
        self._door.settle(holds, lambda: self._settled(holds))

    def _settled(self, holds: list[Hold]) -> None:
        self.replies.settle(holds)
        self._close_if_done()
        if self.replies.backlog <= _MAX_BACKLOG:
            self.reading.resume("backlog")

    # commands that need more than forwarding

    def _start(self, work) -> None:  # type: ignore[no-untyped-def]
        self._task = asyncio.get_running_loop().create_task(work)

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

    async def _specials(self) -> None:
        """Serve pending commands until none of them needs more than forwarding."""
        while self._pending:
            kind = self._door.classifier.kind(self._pending[0])
            if self._batches.stops(kind, self._counting):
                if kind is not Kind.RESET or self._counting:
                    await self.drained()
                if kind is Kind.SPECIAL:
                    await self._serve(self._pending.popleft())
                elif kind is Kind.RESET:
                    self._reset(self._pending.popleft())
                else:
                    self.replies.stop_counting()
                    self._batches.reset()
            else:
                self._task = None
                self._advance()
                if self._task:
                    return
        self._task = None
        self._pending_bytes = 0
        self.reading.resume("pending")
        self.reading.resume("login")
        self._check_input()
        if self._leaving and not self._task:
            self._end_input()
        self._close_if_done()

    def _reset(self, argv: Command) -> None:
        """Forward `RESET`; only when drained or not counting."""
        self._batches.reset()
        self.replies.discard = False
        self.replies.stop_counting()
        self._send_raw(encode_command(argv))
        self._trusted = self._welcome

    async def _serve(self, argv: Command) -> None:
        self._serving = True
        try:
            await self._door.serve(self, argv)
        finally:
            self._serving = False

    async def drained(self) -> None:
        """Wait until every command forwarded so far is answered."""
        if not self._counting:
            self._send_raw(self.replies.start_counting(self._trusted))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.replies.when_drained(lambda: None if done.done() else done.set_result(None))
        await done

    async def ask(self, argv: Command) -> bytes:
        """Send a command on this client's connection and take its reply away; only when drained."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.replies.capture(lambda raw: None if reply.done() else reply.set_result(raw))
        self._send(encode_command(argv), Batch([argv]))
        return await reply

    def forward(self, argv: Command) -> None:
        """Forward one command as if it had not been stopped; only when drained."""
        classifier = self._door.classifier
        keys = self._batches.concerned(argv, Kind.KEYED, classifier)
        blocking = self._door.table.is_blocking(argv[0])
        self._send(encode_command(argv), Batch([argv], 1, list(keys), blocking))

    async def skip_next(self) -> None:
        """Carry out the next command, now or when it comes, and drop its reply.

        What changes how replies are told, or is answered by messages, is not skipped.
        """
        while not (self._pending or self.gone or self._leaving):
            self._more.clear()
            self._pending_bytes = 0
            self.reading.resume("pending")
            await self._more.wait()
        kind = self._door.classifier.kind(self._pending[0]) if self._pending else Kind.RESET
        if kind in (Kind.RESET, Kind.STREAMING) or is_client_reply(self._pending[0]):
            return
        argv = self._pending.popleft()
        self.replies.discard = True
        if kind is Kind.SPECIAL:
            await self._door.serve(self, argv)
        else:
            self._forward(deque([argv]))
        await self.drained()
        self.replies.discard = False

    def reply(self, raw: bytes) -> None:
        """Answer the command that is being served."""
        if not self.replies.discard:
            self.write(raw)

    @property
    def in_multi(self) -> bool:
        """Whether the client is between MULTI and EXEC."""
        return self._batches.in_multi

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

"""One client: its connection, its connection to redis-server, and the commands between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from minigears.door.backend import BackendError, connect
from minigears.door.classify import Kind
from minigears.door.replystream import Hold, Mode, ReplyStream
from minigears.protocol import (
    Command,
    ProtocolError,
    RequestParser,
    encode_command,
    encode_error,
)

if TYPE_CHECKING:
    from minigears.door.door import Door

_LAST_WORDS = 2.0  # seconds for what a client sent that left before it was connected
_MAX_BACKLOG = 1024
"""Commands of one client that may wait for functions, or to be served, before the door stops reading from it."""

_MAX_UNAUTHENTICATED = 64 * 1024
"""Bytes of one command that are kept for a client that still has to log in; Redis keeps as little."""


class _BackendSide(asyncio.Protocol):
    """The raw connection to redis-server."""

    def __init__(self, client: Client):
        self._client = client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._client.replies.feed(data)

    def pause_writing(self) -> None:
        self._client.pause("backend")

    def resume_writing(self) -> None:
        self._client.resume("backend")

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.backend_lost()


class Client(asyncio.Protocol):
    """Relays one client; see `Door` for what it asks of the rest."""

    def __init__(self, door: Door):
        self._door = door
        self._parser = RequestParser()
        self._front: asyncio.Transport | None = None
        self._backend: _BackendSide | None = None
        self._pending: deque[Command] = deque()
        self._task: asyncio.Task[None] | None = None
        self._pauses: set[str] = set()
        self._in_multi = False
        self._transaction_keys: list[bytes] = []
        self._more = asyncio.Event()
        self._error: ProtocolError | None = None
        self.replies = ReplyStream(self._write, self._due)
        self.gone = False
        self._trusted = False
        """Whether Redis would serve this client: it asks for no password, or has had it."""

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the client and connect it to redis-server; what it says meanwhile waits."""
        self._front = transport  # type: ignore[assignment]
        self._door.clients.add(self)
        self._start(self._connect())

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._passing() and self._door.classifier.glance(data):
            self._send_raw(data)
            return
        try:
            commands = self._parser.feed(data)
        except ProtocolError as error:
            self._error = error
            commands = []
        if self._task:
            self._pending.extend(commands)
            self._more.set()
            if len(self._pending) > _MAX_BACKLOG:
                self.pause("pending")
        elif commands:
            self._take(commands)
        if self._error or not self._trusted:
            self._check_input()

    def _passing(self) -> bool:
        """Whether nothing needs to be known of what comes next, if it is harmless."""
        between = not (self._task or self._in_multi or self._parser.held or self._error)
        return between and self.replies.mode is Mode.PASSING

    def _check_input(self) -> None:
        """Refuse what makes no sense, and much from somebody who has not logged in."""
        if not self._trusted and self._parser.held > _MAX_UNAUTHENTICATED:
            if self._task:  # it may be logging in right now
                self.pause("login")
            else:
                self.refuse("Protocol error: unauthenticated bulk length")
        elif self._error and not self._task:
            self.refuse(str(self._error))

    def pause_writing(self) -> None:
        """The client reads too slowly: stop reading what Redis answers."""
        if self._backend and self._backend.transport:
            self._backend.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._backend and self._backend.transport:
            self._backend.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; its writes that Redis already has are still followed to their end."""
        self.gone = True
        if self._backend is None:
            return  # still connecting: what was sent before leaving is carried out all the same
        if self._task:
            self._task.cancel()
        self._close_if_done()

    # what the rest of the door uses

    @property
    def waiting(self) -> bool:
        """Whether a write of this client is on its way through its functions."""
        return self.replies.waiting

    def refuse(self, message: str) -> None:
        """Say what is wrong and close."""
        self._write(encode_error(f"ERR {message}"))
        self.close()

    def trust(self, count: bool) -> None:
        """Redis has let the client log in; `count` says to go on counting replies. Only drained."""
        self._trusted = True
        if not count:
            self.replies.stop_counting()

    def close(self) -> None:
        """Close both sides once what was written has left."""
        if self._front:
            self._front.close()
        self._close_backend()

    def backend_lost(self) -> None:
        """redis-server has closed: so do we, as it would have."""
        self._backend = None
        if self._task:
            self._task.cancel()
        if holds := self.replies.abandon():
            self._door.settle(holds, lambda: None)
        if self._front:
            self._front.close()
        self._door.clients.discard(self)

    def pause(self, reason: str) -> None:
        """Stop reading from the client for one more reason."""
        if self._front and not self._pauses and not self._front.is_closing():
            self._front.pause_reading()
        self._pauses.add(reason)

    def resume(self, reason: str) -> None:
        """A reason not to read is over."""
        if reason in self._pauses:
            self._pauses.discard(reason)
            if self._front and not self._pauses and not self._front.is_closing():
                self._front.resume_reading()

    # commands

    def _take(self, commands: list[Command]) -> None:
        """Forward commands as they came if that is all they need, as nearly always."""
        if not self._in_multi and self._door.classifier.passes(commands, self._parser.raw):
            self.replies.sent(len(commands))
            self._send_raw(self._parser.raw)
            return
        batch = None if self._in_multi else self._plain_batch(commands)
        if batch is None:
            self._pending.extend(commands)
            self._advance()
        else:
            self._send(self._parser.raw, len(commands), *batch)
            if self.replies.backlog > _MAX_BACKLOG:
                self.pause("backlog")

    def _plain_batch(self, commands: list[Command]) -> tuple[int, list[bytes]] | None:
        """The last concerned command and the keys concerned, if no command needs more."""
        classifier = self._door.classifier
        keys: list[bytes] = []
        last = 0
        for number, argv in enumerate(commands, 1):
            kind = classifier[argv[0]]
            if kind is Kind.KEYED:
                if found := classifier.concerned(argv):
                    if not self._counting:
                        return None
                    keys.extend(found)
                    last = number
            elif kind:
                return None
        return last, keys

    def _advance(self) -> None:
        """Forward what is pending up to the first command that needs more than forwarding."""
        kind_of = self._door.classifier.kind
        batch: list[Command] = []
        keys: list[bytes] = []
        last = 0
        while self._pending:
            argv = self._pending[0]
            kind = kind_of(argv)
            if kind is Kind.SPECIAL or (kind is Kind.STREAMING and self._counting):
                break
            if kind is Kind.BLOCKING and keys:
                self._forward(batch, last, keys)
                batch, keys, last = [], [], 0
            concerned = self._keys_of(argv, kind) if kind else ()
            if (concerned or kind is Kind.MULTI) and self.replies.mode is Mode.PASSING:
                self._forward(batch, 0, ())
                batch = []
                self._send_raw(self.replies.start_counting())
            batch.append(self._pending.popleft())
            if concerned:
                keys.extend(concerned)
                last = len(batch)
        self._forward(batch, last, keys)
        if self._pending:
            self._start(self._specials())
        elif self.replies.backlog > _MAX_BACKLOG:
            self.pause("backlog")

    def _keys_of(self, argv: Command, kind: Kind) -> Sequence[bytes]:
        """Keys of a command that concern a registration and that it is going to change now."""
        if kind is Kind.MULTI:
            self._in_multi, self._transaction_keys = True, []
            return ()
        if kind in (Kind.EXEC, Kind.DISCARD):
            queued = self._transaction_keys
            self._in_multi, self._transaction_keys = False, []
            return queued if kind is Kind.EXEC else ()
        keys = self._door.classifier.concerned(argv)
        if self._in_multi:
            self._transaction_keys.extend(keys)
            return ()
        return keys

    @property
    def _counting(self) -> bool:
        return self.replies.mode is not Mode.PASSING

    def _forward(self, batch: list[Command], last: int, keys: Sequence[bytes]) -> None:
        if batch:
            self._send(b"".join(map(encode_command, batch)), len(batch), last, keys)

    def _send(self, raw: bytes, commands: int, last: int = 0, keys: Sequence[bytes] = ()) -> None:
        if keys:
            intent = self._door.journal.record(set(keys))  # leaves the door before the write does
            if self._door.delivery.crowded:
                self.pause("crowded")
                self._door.when_room(keys, lambda: self.resume("crowded"))
            self.replies.sent_concerned(commands, last, keys, intent)
        else:
            self.replies.sent(commands)
        self._send_raw(raw)

    def _send_raw(self, raw: bytes) -> None:
        if self._backend and self._backend.transport:
            self._backend.transport.write(raw)

    def _write(self, data: bytes) -> None:
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
            self.resume("backlog")

    # commands that need more than forwarding

    def _start(self, work) -> None:  # type: ignore[no-untyped-def]
        self._task = asyncio.get_running_loop().create_task(work)

    async def _connect(self) -> None:
        await self._door.connected.wait()
        try:
            self._backend = await connect(self._door.address, lambda: _BackendSide(self))
        except BackendError as error:
            self._task = None
            self.refuse(str(error))
            return
        if self._door.guarded:
            self.replies.count_from_start()
        else:
            self._trusted = True
        if self.gone:
            # What it sent before it left is carried out, as Redis does; waiting for more is not.
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._specials(), _LAST_WORDS)
            self._close_if_done()
        else:
            await self._specials()

    async def _specials(self) -> None:
        """Serve pending commands until none of them needs more than forwarding."""
        while self._pending:
            kind = self._door.classifier.kind(self._pending[0])
            if kind is Kind.SPECIAL or (kind is Kind.STREAMING and self._counting):
                await self.drained()
                if kind is Kind.STREAMING:
                    self.replies.stop_counting()
                    self._in_multi = False  # RESET ends a transaction; the others cannot be in one
                else:
                    await self._door.serve(self, self._pending.popleft())
            else:
                self._task = None
                self._advance()
                if self._task:
                    return
        self._task = None
        self.resume("pending")
        self.resume("login")
        self._check_input()

    async def drained(self) -> None:
        """Wait until every command forwarded so far is answered."""
        if not self._counting:
            self._send_raw(self.replies.start_counting())
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.replies.when_drained(lambda: None if done.done() else done.set_result(None))
        await done

    async def ask(self, argv: Sequence[bytes | str]) -> bytes:
        """Send a command on this client's connection and take its reply away; only when drained."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.replies.capture(lambda raw: None if reply.done() else reply.set_result(raw))
        self._send(encode_command(argv), 1)
        return await reply

    async def forward(self, argv: Command) -> None:
        """Forward one command as if it had not been stopped, and wait for its end."""
        keys = self._keys_of(argv, Kind.KEYED)
        self._send(encode_command(argv), 1, 1, keys)
        await self.drained()

    async def skip_next(self) -> None:
        """Drop the reply of the next command, if it is here already; else of the one to come."""
        while not self._pending:
            self._more.clear()
            self.resume("pending")
            await self._more.wait()
        await self.ask(self._pending.popleft())

    def reply(self, raw: bytes) -> None:
        """Answer the command that is being served."""
        if not self.replies.discard:
            self._write(raw)

    @property
    def in_multi(self) -> bool:
        """Whether the client is between MULTI and EXEC."""
        return self._in_multi

    def _close_if_done(self) -> None:
        if self.gone and not self.replies.waiting:
            self._close_backend()

    def _close_backend(self) -> None:
        self._door.clients.discard(self)
        if self._backend and self._backend.transport:
            self._backend.transport.close()

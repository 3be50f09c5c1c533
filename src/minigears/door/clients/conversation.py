"""What a client says that the door itself attends to, one command after the other. The sockets are `client.py`'s."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from minigears.door.clients.batches import Batch
from minigears.door.clients.queued import Queued
from minigears.door.clients.relaying import Relaying
from minigears.door.clients.states import State, Transition, WrongStateError
from minigears.door.commands.classifier import Kind, reply_mode
from minigears.door.events.watch import Watch
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import Command, encode_command

Serve = Callable[["Conversation", Command], Awaitable[None]]
"""Serves a command of kind SPECIAL for a client all of whose earlier ones are answered."""


class Conversation(Relaying):
    """Adds a task to the relaying: it works while a command needs more than forwarding, and others wait."""

    def __init__(self, watch: Watch, serve: Serve):
        super().__init__(watch)
        self._serve_command = serve
        self._task: asyncio.Task[None] | None = None
        self.asking = False
        """Whether the task waits for what redis-server says."""

    def _attend(self) -> None:
        self._start(self._specials())

    def _refuse_behind(self, message: str) -> None:
        self._start(self._refuse_when_drained(message))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self.place.take(Transition.STOP)
        self._run(work)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._observe)

    def _observe(self, task: asyncio.Task[None]) -> None:
        """A client whose task fails is not left without a word: it is closed."""
        if not task.cancelled() and (error := task.exception()):
            self._watch.loops.failed("serving a client", error)
            self.refuse("minigears failed; its log says how")

    async def _specials(self) -> None:
        """Serve pending commands until none of them needs more than forwarding."""
        while self._pending:
            kind = self._watch.classifier.kind(self._pending[0])
            if self._batches.stops(kind, self._counting):
                if kind is not Kind.RESET or self._counting:
                    await self.drained()
                await self._special(kind)
            elif self._trusted or not self._asks_for_more():
                self._forward(self._pending)
            else:
                await self._ask_whether_served()
                self._forward(self._pending)
        self._rest()

    async def _refuse_when_drained(self, message: str) -> None:
        await self.drained()
        self.refuse(message)

    def _asks_for_more(self) -> bool:
        """Whether something would be done here for one of the pending commands."""
        kind = self._watch.classifier.kind
        return any(kind(argv) is not Kind.PLAIN for argv in self._pending)

    async def _ask_whether_served(self) -> None:
        """Redis refused the client once: it may ask for no password any more."""
        await self.drained()
        said = await self.ask([b"PING"])
        if not said.startswith(b"-NOAUTH"):
            self.trust(count=said.startswith(b"-"))

    async def _special(self, kind: Kind) -> None:
        """Do what the next command needs beside forwarding; all earlier ones are answered."""
        if kind in (Kind.SPECIAL, Kind.EXEC):
            await self._serve(self._pending.popleft())
            self._batches.count()
        elif kind is Kind.RESET:
            self._reset(self._pending.popleft())
        elif kind is Kind.OFFSET:
            await self.ask([b"PUBLISH", OFFSET_CHANNEL, b""])
            self._batches.wrote_elsewhere = False
        else:
            self.replies.stop_counting()
            self._batches.reset()

    def _rest(self) -> None:
        """Nothing waits in the door any more: relay."""
        self._task = None
        self.place.take(Transition.GO_ON)
        self._pending_bytes = 0
        self.reading.resume("pending")
        self.reading.resume("login")
        self._check_input()
        self.came_to_rest()

    def _reset(self, argv: Command) -> None:
        """Forward `RESET`; raises WrongStateError when replies are counted and one is missing."""
        self._batches.reset()
        self.replies.discard = False
        self.replies.stop_counting()
        self.send(encode_command(argv))
        self._trusted = self._welcome

    async def _serve(self, argv: Command) -> None:
        self.place.take(Transition.SERVE)
        try:
            await self._serve_command(self, argv)
        finally:
            if self.place.now is State.SERVING:
                self.place.take(Transition.END_SERVING)

    async def drained(self) -> None:
        """Wait until every command forwarded so far is answered."""
        if not self._counting:
            self.send(self.replies.start_counting(self._trusted))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.replies.when_drained(lambda: None if done.done() else done.set_result(None))
        self.asking = not self.replies.waiting
        try:
            await done
        finally:
            self.asking = False

    async def ask(self, argv: Command, past_messages: bool = False) -> bytes:
        """Send a command on this client's connection and take its reply away; see `ReplyStream.capture`.

        Raises:
            WrongStateError: a command before it is not answered yet.
        """
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.replies.capture(
            lambda raw: None if reply.done() else reply.set_result(raw), past_messages
        )
        self._send(encode_command(argv), Batch([argv]))
        self.asking = True
        try:
            return await reply
        finally:
            self.asking = False

    def forward(self, argv: Command) -> None:
        """Forward one command as if it had not been stopped; drop it if its client is long gone.

        Raises:
            WrongStateError: a command before it is not answered yet.
        """
        if self.abandoned:
            return
        if not self.replies.drained:
            raise WrongStateError("a command is forwarded before its turn")
        classifier = self._watch.classifier
        keys = self._batches.concerned(argv, Kind.KEYED, classifier)
        blocking = self._watch.table.is_blocking(argv[0])
        self._send(encode_command(argv), Batch([argv], 1, list(keys), blocking))

    def queue(self, argv: Command, mark: bytes | None = None) -> None:
        """Inside MULTI: note a command that needs more than Redis; see `transactions.Queued`."""
        self._batches.queue(argv, mark)

    def take_queue(self) -> tuple[list[Queued], int, set[bytes]]:
        """End the transaction; see `Batches.take_queue`."""
        return self._batches.take_queue()

    async def skip_next(self) -> None:
        """Carry out the next command, now or when it comes, and drop its reply.

        What changes how replies are told, or is answered by messages, is not skipped.
        """
        while not (self._pending or self.ending):
            self._more.clear()
            self._pending_bytes = 0
            self.reading.resume("pending")
            await self._more.wait()
        kind = self._watch.classifier.kind(self._pending[0]) if self._pending else Kind.RESET
        if kind in (Kind.RESET, Kind.STREAMING) or reply_mode(self._pending[0]):
            return
        argv = self._pending.popleft()
        self.replies.discard = True
        if kind is Kind.SPECIAL:
            await self._serve_command(self, argv)
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

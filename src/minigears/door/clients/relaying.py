"""What a client says that needs no more than forwarding, as nearly all of it; and replies that wait for functions."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from minigears.door.capture.captures import protocol_after
from minigears.door.clients.batches import Batch, Batches
from minigears.door.clients.replies import Hold, Mode, ReplyStream
from minigears.door.clients.sockets import Reading
from minigears.door.clients.states import HAS_TASK, Place, State
from minigears.door.commands.shareable import Use
from minigears.door.events.watch import Watch
from minigears.protocol import Command, ProtocolError, RequestParser, encode_command

_RELAYING = State.RELAYING  # Python 3.11 takes its time to find the member of an enum
_PASSING = Mode.PASSING
_MAX_BACKLOG = 1024
"""Commands of one client that may wait for functions, or to be served, before the door stops reading from it."""

_MAX_PENDING_BYTES = 1 << 20
"""Bytes that one client may send while a command of its own is being served, and bytes of keys that may
wait for functions; then the same holds."""

_MAX_UNAUTHENTICATED = 64 * 1024
"""Bytes of one command that are kept for a client that still has to log in; Redis keeps as little."""


class Relaying(ABC):
    """Commands on their way to redis-server, and what has to happen before their replies leave."""

    def __init__(self, watch: Watch):
        self._watch = watch
        self._parser = RequestParser()
        self._error: ProtocolError | None = None
        self._pending: deque[Command] = deque()
        self._pending_bytes = 0
        self._more = asyncio.Event()
        """Set when there is more in `_pending`, or nothing more will come."""
        self._batches = Batches()
        self.place = Place()
        self.abandoned = False
        """Whether the client left so long ago that what still waits here is dropped."""
        self.protocol = 2
        """The RESP version that the client speaks, as far as captures need to know."""
        self.reading = Reading()
        self.hearing = Reading()
        """Of the client's own connection to redis-server."""
        self.replies = ReplyStream(self.write, self._due)
        self._welcome = False
        """Whether Redis serves whoever has not logged in."""
        self._trusted = False
        """Whether Redis would serve this client: it asks for no password, or has had it."""

    # the sockets

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Pass a reply on to the client."""

    @abstractmethod
    def send(self, raw: bytes) -> None:
        """Send to the client's own connection to redis-server."""

    @abstractmethod
    def refuse(self, message: str) -> None:
        """Say what is wrong and close."""

    @property
    @abstractmethod
    def address(self) -> bytes:
        """The client's, as Redis would tell it; empty where it has none."""

    @property
    @abstractmethod
    def ending(self) -> bool:
        """Whether nothing more comes from the client."""

    @abstractmethod
    def came_to_rest(self) -> None:
        """Nothing, or less, is on its way now: close what is not needed any more."""

    # what is above

    @abstractmethod
    def _attend(self) -> None:
        """Take what is pending: its first command needs more than forwarding."""

    @abstractmethod
    def _refuse_behind(self, message: str) -> None:
        """Refuse what came behind commands that are still to be answered."""

    # what the rest of the door uses

    @property
    def waiting(self) -> bool:
        """Whether a write of this client is on its way through its functions."""
        return self.replies.waiting

    def trust(self, count: bool) -> None:
        """Redis has let the client log in; `count` says to go on counting replies.

        Raises:
            WrongStateError: a command is not answered yet.
        """
        self._trusted = True
        if not (count or self.replies.discard):
            self.replies.stop_counting()

    # bytes from the client

    def _received(self, data: bytes) -> None:
        relaying = self.place.now is _RELAYING
        if relaying and self._passing():
            watch = self._watch
            if watch.classifier.glance(data):
                self.send(data)
                return
            shared = watch.classifier.shared(data) if watch.captures.prefixes else None
            if shared is not None and shared[0] is Use.CAPTURED:
                call = watch.captures.splice(data, self.protocol)
                if call is not None:
                    self.send(call)
                    return
        if self.place.now is State.CLOSED:
            return
        try:
            commands = self._parser.feed(data)
        except ProtocolError:
            commands = []
        self._error = self._parser.error
        if self._watch.captures.prefixes:
            commands, rewritten = self._capture(commands)
        else:  # what is captured later needs to know, too
            rewritten = False
            for argv in commands:
                self.protocol = protocol_after(argv, self.protocol)
        if relaying:
            if rewritten:
                self._take_rewritten(commands)
            elif commands:
                self._take(commands)
        else:
            self._pending.extend(commands)
            self._pending_bytes += len(data)
            self._more.set()
            if len(self._pending) > _MAX_BACKLOG or self._pending_bytes > _MAX_PENDING_BYTES:
                self.reading.pause("pending")
        if self._error or not self._trusted:
            self._check_input()

    def _capture(self, commands: list[Command]) -> tuple[list[Command], bool]:
        """The commands, with the calls that capture writes in their places; and whether there are any."""
        captures, table = self._watch.captures, self._watch.table
        now, rewritten = [], False
        for argv in commands:
            call = captures.rewrite(argv, table, self.protocol)
            rewritten |= call is not argv
            now.append(call)
            self.protocol = protocol_after(argv, self.protocol)
        return now, rewritten

    def _take_rewritten(self, commands: list[Command]) -> None:
        """Forward commands that are not the bytes that came."""
        if self._trusted and not (self._batches.in_multi or self._pending):
            batch = self._batches.whole(commands, self._watch.classifier, self._counting)
            if batch is not None:
                self._send(b"".join(map(encode_command, commands)), batch)
                return
        self._pending.extend(commands)
        if self._trusted:
            self._forward(self._pending)
        if self._pending:
            self._attend()

    def _passing(self) -> bool:
        """Whether nothing needs to be known of what comes next, if it is harmless."""
        between = not (self._batches.in_multi or self._parser.held or self._error)
        return between and self.replies.mode is _PASSING

    def _check_input(self) -> None:
        """Refuse what makes no sense, and much from somebody who has not logged in."""
        if not self._trusted and self._parser.held > _MAX_UNAUTHENTICATED:
            if self.place.now in HAS_TASK:  # it may be logging in right now
                self.reading.pause("login")
            else:
                self.refuse("Protocol error: unauthenticated bulk length")
        elif self._error and self.place.now is State.RELAYING and not self.abandoned:
            self._refuse_behind(str(self._error))

    # commands that are forwarded

    def _take(self, commands: list[Command]) -> None:
        """Forward commands as they came if that is all they need, as nearly always."""
        classifier, batches = self._watch.classifier, self._batches
        if not self._trusted:  # Redis is asked before anything is done
            self._pending.extend(commands)
            self._attend()
            return
        if not batches.in_multi and classifier.passes(commands, self._parser.raw):
            self.replies.sent(len(commands))
            self.send(self._parser.raw)
            return
        batch = None
        if not batches.in_multi:
            batch = batches.whole(commands, classifier, self._counting)
        if batch is None:
            self._pending.extend(commands)
            self._forward(self._pending)
            if self._pending:
                self._attend()
            return
        self._send(self._parser.raw, batch)

    def _forward(self, pending: deque[Command]) -> None:
        """Forward what is pending up to the first command that needs more than forwarding."""
        for batch in self._batches.cut(pending, self._watch.classifier, self._counting):
            if batch.counted:
                self.send(self.replies.start_counting(self._trusted))
            if batch.commands:
                self._send(b"".join(map(encode_command, batch.commands)), batch)

    @property
    def _counting(self) -> bool:
        return self.replies.mode is not _PASSING

    def _send(self, raw: bytes, batch: Batch) -> None:
        for place, told in batch.watched:
            self.replies.watch(place, told)
        if batch.keys and self._trusted:
            # The intent leaves the door before the write does.
            intent = self._watch.journal.record(set(batch.keys))
            if self._watch.delivery.crowded:
                self.reading.pause("crowded")
                self._watch.when_room(batch.keys, lambda: self.reading.resume("crowded"))
            self.replies.sent_concerned(batch, intent)
            if self._crowded:
                self.reading.pause("backlog")
        else:
            self.replies.sent(len(batch.commands))
        self.send(raw)

    # replies that wait

    def _due(self, holds: list[Hold]) -> None:
        """The replies of these writes have arrived: wait for their functions."""
        self._watch.settle(holds, lambda: self._settled(holds))

    def _settled(self, holds: list[Hold]) -> None:
        self.replies.settle(holds)
        self.came_to_rest()
        if not self._crowded:
            self.reading.resume("backlog")
        if not self.replies.full:
            self.hearing.resume("held")

    @property
    def _crowded(self) -> bool:
        """Whether so much waits for functions that the client has to wait, too."""
        replies = self.replies
        return replies.backlog > _MAX_BACKLOG or replies.backlog_bytes > _MAX_PENDING_BYTES

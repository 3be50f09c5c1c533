"""What a client says that needs no more than forwarding, as nearly all of it; and replies that wait for functions.

Pure: no I/O. Bytes go in, and what is to be done comes out as calls of `Effects`, in their order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from minigears.commandtable import CommandTable
from minigears.door.capture.captures import Captures
from minigears.door.clients.batches import Batch, Batches
from minigears.door.clients.replies import Mode, ReplyStream
from minigears.door.clients.states import STOPPED, Login, Place, State
from minigears.door.commands.classifier import Classifier
from minigears.door.commands.parser import RequestParser
from minigears.door.events.hold import Hold
from minigears.door.events.journal import Intent
from minigears.protocol import Command, ProtocolError, encode_command

_RELAYING = State.RELAYING  # Python 3.11 takes its time to find the member of an enum
_PASSING = Mode.PASSING
_MISSING = Login.MISSING
_MAX_BACKLOG = 1024
"""Commands of one client that may wait for functions, or to be served, before the door stops reading from it."""

_MAX_PENDING_BYTES = 1 << 20
"""Bytes that one client may send while a command of its own is being served, and bytes of keys that may
wait for functions; then the same holds."""

_MAX_UNAUTHENTICATED = 64 * 1024
"""Bytes of one command that are kept for a client that still has to log in; Redis keeps as little."""


class Valve(Protocol):
    """Bytes from one side, which come while there is no reason to stop them."""

    def pause(self, reason: str) -> None:
        """Stop them for one more reason."""

    def resume(self, reason: str) -> None:
        """A reason to stop them is over."""


class Effects(Protocol):
    """What a conversation has done for it: by the client's two sockets, and by those who serve commands."""

    @property
    def reading(self) -> Valve:
        """What the client sends."""

    @property
    def hearing(self) -> Valve:
        """What Redis answers on the client's own connection."""

    @property
    def address(self) -> bytes:
        """The client's, as Redis would tell it; empty where it has none."""

    def write(self, data: bytes) -> None:
        """Pass a reply on to the client."""

    def send(self, raw: bytes) -> None:
        """Send to the client's own connection to redis-server."""

    def serve(self, argv: Command) -> None:
        """Have a command served; all earlier ones are answered. `Conversation.served` is told of the end."""

    def refuse(self, message: str) -> None:
        """Say what is wrong and close."""

    def failed(self, error: Exception) -> None:
        """An error in minigears: a client that may be told the wrong thing is closed."""

    def came_to_rest(self) -> None:
        """Nothing, or less, is on its way now: close what is not needed any more."""


class Watching(Protocol):
    """What the registrations of now ask for, and who waits until their functions are done: the watch."""

    classifier: Classifier
    captures: Captures
    table: CommandTable

    @property
    def crowded(self) -> bool:
        """Whether some registration has too many events on their way."""

    def record(self, keys: Collection[bytes]) -> Intent:
        """Have the journal know of keys that are about to be changed."""

    def settle(self, holds: Sequence[Hold], callback: Callable[[], None]) -> None:
        """Call back when the replies of these writes may go."""

    def when_room(self, keys: Collection[bytes], callback: Callable[[], None]) -> None:
        """Call back when no registration about these keys is crowded."""


class Relaying(ABC):
    """Commands on their way to redis-server, and what has to happen before their replies leave."""

    def __init__(self, watch: Watching, effects: Effects, place: Place):
        self.place = place
        self._watch = watch
        self._effects = effects
        self._emit = effects.send
        self._parser = RequestParser()
        self._error: ProtocolError | None = None
        self._pending: deque[Command] = deque()
        self._pending_bytes = 0
        self._batches = Batches()
        self._login = Login.MISSING
        self.protocol = 2
        """The RESP version that the client speaks; inside MULTI, that from before."""
        self.replies = ReplyStream(effects.write, self._due)

    # what is above

    @abstractmethod
    def _attend(self) -> None:
        """Take what is pending: its first command needs more than forwarding."""

    # bytes from the client

    def received(self, data: bytes) -> None:
        """Bytes from the client, all that it says on its own connection."""
        relaying = self.place.now is _RELAYING
        if relaying and self._passing():
            watch = self._watch
            if watch.classifier.glance(data):
                self._emit(data)
                return
            calls = watch.classifier.captured(data, self.protocol)
            if calls is not None:
                self._emit(calls)
                return
        if self.place.now is State.CLOSED:
            return
        try:
            commands = self._parser.feed(data)
        except ProtocolError:
            commands = []
        self._error = self._parser.error
        if not relaying:
            self._keep(commands, len(data))
        elif commands:
            self._take(commands)
        if self._error or self._login is _MISSING:
            self._check_input()

    def _keep(self, commands: list[Command], size: int) -> None:
        """Commands that have to wait."""
        self._pending.extend(commands)
        self._pending_bytes += size
        if len(self._pending) > _MAX_BACKLOG or self._pending_bytes > _MAX_PENDING_BYTES:
            self._effects.reading.pause("pending")
        if commands and self.place.now is State.SKIPPING:
            self._attend()

    def _passing(self) -> bool:
        """Whether nothing needs to be known of what comes next, if it is harmless."""
        between = not (self._batches.in_multi or self._parser.held or self._error)
        return between and self.replies.mode is _PASSING

    def _check_input(self) -> None:
        """Refuse what makes no sense, and much from somebody who has not logged in."""
        if self._login is _MISSING and self._parser.held > _MAX_UNAUTHENTICATED:
            if self.place.now in STOPPED:  # it may be logging in right now
                self._effects.reading.pause("login")
            else:
                self._effects.refuse("Protocol error: unauthenticated bulk length")
        elif self._error and self.place.now is State.RELAYING:
            self._attend()  # what came before it is still to be answered

    # commands that are forwarded

    def _take(self, commands: list[Command]) -> None:
        """Forward commands as they came if that is all they need, as nearly always."""
        if self._login is not _MISSING:  # else Redis is asked before anything is done
            if not self._batches.in_multi and self._take_whole(commands):
                return
            self._pending.extend(commands)
            self._forward(self._pending)
        else:
            self._pending.extend(commands)
        if self._pending:
            self._attend()

    def _take_whole(self, commands: list[Command]) -> bool:
        """Forward them in one piece, if none of them needs a closer look; tells whether that was done."""
        classifier, raw = self._watch.classifier, self._parser.raw
        if classifier.passes(commands, raw):
            self.replies.sent(len(commands))
            self._emit(raw)
            return True
        calls = self._captured(commands) if self._watch.captures.prefixes else commands
        batch = self._batches.whole(calls, classifier, self._counting)
        if batch is None:
            return False
        self._send(raw if calls is commands else b"".join(map(encode_command, calls)), batch)
        return True

    def _captured(self, commands: list[Command]) -> list[Command]:
        """The commands, with the calls that capture writes in their places; the same list if there are none."""
        calls = list(map(self._capture, commands))
        return commands if calls == commands else calls

    def _capture(self, argv: Command) -> Command:
        """The call that captures a write, or the command itself.

        A script needs a transaction of its own, which is served; where there cannot be one, the call refuses it.
        """
        watch, batches = self._watch, self._batches
        if not watch.captures.prefixes:
            return argv
        alone = not (batches.in_multi or batches.watching)
        if alone and watch.captures.is_script(argv, watch.table):
            return argv
        return watch.captures.rewrite(argv, watch.table, batches.resp or self.protocol)

    def _forward(self, pending: deque[Command]) -> None:
        """Forward what is pending up to the first command that needs more than forwarding."""
        capture = self._capture if self._watch.captures.prefixes else None
        for batch in self._batches.cut(pending, self._watch.classifier, self._counting, capture):
            if batch.counted:
                self._count()
            if batch.commands:
                self._send(b"".join(map(encode_command, batch.commands)), batch)

    @property
    def _counting(self) -> bool:
        return self.replies.mode is not _PASSING

    def _count(self) -> None:
        """Have replies counted from here on."""
        self._emit(self.replies.start_counting(self._login is not _MISSING))

    def _send(self, raw: bytes, batch: Batch) -> None:
        for place, told in batch.watched:
            self.replies.watch(place, told)
        if batch.keys and self._login is not _MISSING:
            # The intent leaves the door before the write does.
            intent = self._watch.record(set(batch.keys))
            if self._watch.crowded:
                reading = self._effects.reading
                reading.pause("crowded")
                self._watch.when_room(batch.keys, lambda: reading.resume("crowded"))
            self.replies.sent_concerned(batch, intent)
            if self._crowded:
                self._effects.reading.pause("backlog")
        else:
            self.replies.sent(len(batch.commands))
        self._emit(raw)

    # replies that wait

    def heard(self, data: bytes) -> None:
        """Bytes from Redis, on the client's own connection."""
        self.replies.feed(data)
        if self.replies.kept_bytes and self.replies.full:
            self._effects.hearing.pause("held")

    def _due(self, holds: list[Hold]) -> None:
        """The replies of these writes have arrived: wait for their functions."""
        self._watch.settle(holds, lambda: self._settled(holds))

    def _settled(self, holds: list[Hold]) -> None:
        self.replies.settle(holds)
        self._effects.came_to_rest()
        if not self._crowded:
            self._effects.reading.resume("backlog")
        if not self.replies.full:
            self._effects.hearing.resume("held")

    @property
    def _crowded(self) -> bool:
        """Whether so much waits for functions that the client has to wait, too."""
        replies = self.replies
        return replies.backlog > _MAX_BACKLOG or replies.backlog_bytes > _MAX_PENDING_BYTES

    def lost(self) -> None:
        """Redis has closed the client's own connection: replies that are missing never come."""
        if holds := self.replies.abandon():
            self._watch.settle(holds, lambda: self._settled(holds))

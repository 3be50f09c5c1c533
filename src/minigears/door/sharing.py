"""One client on shared connections, until it asks for something that only one of its own can do.

Its own connection is there from the beginning, for what introduces the client (HELLO, CLIENT SETNAME,
CLIENT SETINFO). The first other command that may not be shared, or the first that does not wait for
the reply before it, ends the sharing for good: then all goes the client's own way, as it came.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

import hiredis

from minigears.door.shared import Use
from minigears.protocol import Command, ProtocolError, RequestParser, encode_command

if TYPE_CHECKING:
    from minigears.door.client import Client
    from minigears.door.door import Door

FEW = 4
"""With fewer clients than that nobody shares: it takes several to make up for the bookkeeping."""

_MAX_BYTES = 16 * 1024
"""Of a command or a reply on a shared connection: a longer one would keep the others waiting."""

_MAX_HELD = 64 * 1024
"""Bytes that wait here before no more are read from the client."""

_MORE = object()


class State(enum.Enum):
    """Where a client's commands are."""

    CONNECTING = enum.auto()
    """Its own connection is not there yet."""
    GREETING = enum.auto()
    """Its own connection has still to answer an introduction."""
    FREE = enum.auto()
    """Nothing is on its way."""
    AWAY = enum.auto()
    """One command is on a shared connection."""


class Sharing:
    """Takes what a client sends, in place of the client, as long as it shares."""

    def __init__(self, client: Client, door: Door):
        self._client = client
        self._door = door
        self._state = State.CONNECTING
        self._greeting = Greeting()
        self._held: list[bytes] = []
        self._held_length = 0
        self._last = False
        """Whether the sharing ends with the reply that is awaited."""
        self.wrote = False
        """Whether a write went over a shared connection."""

    @property
    def begun(self) -> bool:
        """Whether it was found that the client may share."""
        return self._state is not State.CONNECTING

    @property
    def away(self) -> bool:
        """Whether a reply is on its way that the client's own connection knows nothing of."""
        return self._state is State.AWAY

    def connected(self) -> None:
        """The client's own connection is there: go on with what has arrived."""
        self._state = State.FREE
        held = self._take_held()
        enough = self._door.lanes.open and len(self._door.clients) >= FEW
        if not (enough and self._client.may_share):
            self._client.own_way(held)
        elif held:
            self.received(held)

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._state is State.FREE:
            use = self._door.classifier.shared(data)
            if use is None or not self._ride(use, data):
                self._look_closer(data)
        elif self._state is State.GREETING:
            self._look_closer(data)
        else:
            self._held.append(data)
            self._held_length += len(data)
            if self._held_length > _MAX_HELD:
                self._client.reading.pause("shared")

    def from_own(self, data: bytes) -> None:
        """Bytes from the client's own connection."""
        if self._state is State.GREETING and self._greeting.answered(data):
            self._state = State.FREE

    def answered(self, piece: bytes, whole: bool) -> None:
        """A piece of the reply from the shared connection."""
        self._client.write(piece)
        if not whole or len(piece) > _MAX_BYTES:
            self._last = True
        if whole:
            self._state = State.FREE
            if self._last or self._held or self._client.ending:
                self._client.own_way(self._take_held())

    def slow(self) -> None:
        """The client does not read its replies: its own connection can make Redis wait."""
        self._last = True

    def _ride(self, use: Use, data: bytes) -> bool:
        lane = None if self._last else self._door.lanes.lane(self._greeting.protocol, use)
        if lane is None:
            return False
        self.wrote |= use is Use.WRITES
        self._state = State.AWAY
        lane.carry(self, data)
        return True

    def _look_closer(self, data: bytes) -> None:
        """Share a command with longer words, pass an introduction on, or end the sharing."""
        commands = _whole(data) if len(data) <= _MAX_BYTES else []
        if self._state is State.FREE and len(commands) == 1 and encode_command(commands[0]) == data:
            use = self._door.classifier.shared_command(commands[0])
            if use is not None and self._ride(use, data):
                return
        if commands and all(map(is_greeting, commands)):
            self._state = State.GREETING
            self._greeting.sent(commands)
            self._client.send(data)
        else:
            self._client.own_way(data)

    def _take_held(self) -> bytes:
        held, self._held, self._held_length = b"".join(self._held), [], 0
        self._client.reading.resume("shared")
        return held


class Greeting:
    """Introductions on a client's own connection, and what Redis says to them."""

    def __init__(self) -> None:
        self.protocol = 2
        """The RESP version that the client speaks."""
        self._asked: deque[int] = deque()
        self._reader = hiredis.Reader(notEnoughData=_MORE)

    def sent(self, commands: list[Command]) -> None:
        """These were sent."""
        self._asked.extend(int(c[1]) if c[0].upper() == b"HELLO" else 0 for c in commands)

    def answered(self, data: bytes) -> bool:
        """Take replies; tells whether none is missing."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _MORE:
            version = self._asked.popleft()
            if version and not isinstance(reply, hiredis.ReplyError):
                self.protocol = version
        return not self._asked


def is_greeting(argv: Command) -> bool:
    """Whether a command only introduces the client."""
    words = [word.upper() for word in argv[:2]]
    if words[0] == b"HELLO":
        return len(argv) == 2 and words[1] in (b"2", b"3")
    return words in ([b"CLIENT", b"SETNAME"], [b"CLIENT", b"SETINFO"])


def _whole(data: bytes) -> list[Command]:
    """The commands that `data` consists of; none if a part is missing, or it makes no sense."""
    parser = RequestParser()
    try:
        commands = parser.feed(data)
    except ProtocolError:
        return []
    return commands if parser.raw == data else []

"""One client on shared connections, until it asks for something that only one of its own can do.

Its own connection is there from the beginning, for what introduces the client (HELLO, CLIENT SETNAME,
CLIENT SETINFO). The first other command that may not be shared, or the first that does not wait for
the reply before it, ends the sharing for good: then all goes the client's own way, as it came. That
is only once every reply is there, whichever connection it comes from: so none meets another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Sized
from typing import Protocol

import hiredis

from minigears.door.clients.sockets import Reading
from minigears.door.clients.states import Place, State, Transition
from minigears.door.commands.parser import RequestParser
from minigears.door.commands.shareable import MAX_BYTES, Use
from minigears.door.events.hold import Hold
from minigears.door.events.watch import Barrier, Watch
from minigears.door.pooled.connections import ConnectionPool
from minigears.protocol import Command, ProtocolError, encode_command

FEW = 4
"""Who finds fewer clients than that when it sends its first command does not share: it takes several to make up
for the bookkeeping. While there are registrations about keys it does: that spares trips to a write that concerns one,
even of a client alone, and few clients begin with such a write."""

_MAX_HELD = 64 * 1024
"""Bytes that wait here before no more are read from the client."""

_MORE = object()
_FREE, _AWAY, _GREETING = State.FREE, State.AWAY, State.GREETING
_RIDE, _ARRIVE = Transition.RIDE, Transition.ARRIVE
_WRITES, _CAPTURED = Use.WRITES, Use.CAPTURED
"""Python 3.11 takes its time to find the member of an enum."""


class Host(Protocol):
    """The client, as far as the sharing has to know it."""

    reading: Reading

    @property
    def may_share(self) -> bool:
        """Whether its commands could come from anybody."""

    @property
    def one_sided(self) -> bool:
        """Whether the client sends no more, or redis-server has closed the client's own connection."""

    @property
    def ending(self) -> bool:
        """Whether nothing more comes from the client."""

    def write(self, data: bytes) -> None:
        """Pass a reply on to the client."""

    def send(self, raw: bytes) -> None:
        """Send to the client's own connection to redis-server."""

    def own_way(self, data: bytes) -> None:
        """The sharing is over: `data`, and all that follows, goes to the client's own connection."""

    def came_to_rest(self) -> None:
        """Nothing, or less, is on its way now."""


class Sharing:
    """Takes what a client sends, in place of the client, as long as it shares."""

    def __init__(
        self, client: Host, watch: Watch, pool: ConnectionPool, clients: Sized, place: Place
    ):
        self._client = client
        self._watch = watch
        self._pool = pool
        self._clients = clients
        """All of the door's, this one among them."""
        self._place = place
        self._greeting = Greeting()
        self._held: list[bytes] = []
        self._held_length = 0
        self._hold: Hold | None = None
        """The write that concerns a registration and whose reply waits for functions."""
        self._barrier: Barrier | None = None
        """Behind that write."""
        self._kept: list[bytes] = []
        """That reply, as far as it has come."""
        self._begun = False
        """Whether a command was sent, beside introductions."""
        self._last = False
        """Whether the sharing ends with the reply that is awaited."""
        self.wrote = False
        """Whether a write went over a shared connection."""

    @property
    def protocol(self) -> int:
        """The RESP version that the client speaks."""
        return self._greeting.protocol

    @property
    def waiting(self) -> bool:
        """Whether a write of this client is on its way through its functions."""
        return self._hold is not None

    def connected(self) -> None:
        """The client's own connection is there: go on with what has arrived."""
        if self._pool.open and self._client.may_share:
            self._place.take(Transition.SHARE)
            self._go_on()
        else:
            self._client.own_way(self.take_held())

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._place.now is _FREE:
            shared = self._watch.classifier.shared(data)
            if shared is None or not self._ride(*shared, data):
                self._look_closer(data)
            return
        if self._place.now is _GREETING and not self._held and self._greets(data):
            return
        self._held.append(data)
        self._held_length += len(data)
        if self._held_length > _MAX_HELD:
            self._client.reading.pause("shared")

    def from_own(self, data: bytes) -> None:
        """Bytes from the client's own connection, which the client has got."""
        if self._place.now is _GREETING and self._greeting.answered(data):
            self._place.take(Transition.BE_GREETED)
            self._go_on()

    def answered(self, piece: bytes, whole: bool) -> None:
        """A piece of the reply from the shared connection."""
        if not whole or len(piece) > MAX_BYTES:
            self._last = True
        if self._hold is None:
            self._client.write(piece)
            if whole:
                self._arrive()
        else:
            self._kept.append(piece)
            if whole:
                self._watch.settle((self._hold,), self._settled, self._barrier)

    def _settled(self) -> None:
        """The functions of a write are done, and the journal has it: its reply may go."""
        reply, self._kept = b"".join(self._kept), []
        self._hold = None
        self._client.write(reply)
        self._arrive()

    def _arrive(self) -> None:
        if self._place.now is not _AWAY:
            return
        self._place.take(_ARRIVE)
        if self._last or self._held:
            self._client.own_way(self.take_held())
        elif self._client.one_sided:
            self._client.came_to_rest()

    def slow(self) -> None:
        """The client does not read its replies: its own connection can make Redis wait."""
        self._last = True

    def _go_on(self) -> None:
        if held := self.take_held():
            self.received(held)
        elif self._client.ending:
            self._client.came_to_rest()

    def _ride(self, use: Use, concerned: Sequence[bytes], data: bytes) -> bool:
        write = None
        if use is _CAPTURED:
            use, write = _WRITES, self._watch.captures.write(data)
            if write is None:
                return False
        if not self._begun:
            self._begun = True
            self._last |= len(self._clients) < FEW and not self._watch.interest.keys
        connection = None if self._last else self._pool.connection(self._greeting.protocol, use)
        if connection is None:
            return False
        self.wrote |= use is _WRITES
        self._place.take(_RIDE)
        if concerned:  # the intent leaves before the write, and a barrier behind it
            crossing = connection.crossing
            self._barrier = crossing.when_passed if crossing else None
            if crossing:
                crossing.board(concerned)
            self._hold = Hold(1, 1, concerned, self._watch.journal.record_together(concerned))
        if write is None:
            connection.carry(self, data)
        else:
            connection.capture(self, write)
        return True

    def _look_closer(self, data: bytes) -> None:
        """Share a command with longer words, pass an introduction on, or end the sharing."""
        commands = _whole(data)
        if len(commands) == 1 and encode_command(commands[0]) == data:
            shared = self._watch.classifier.shared_command(commands[0])
            if shared is not None and self._ride(*shared, data):
                return
        if not self._greets(data):
            self._client.own_way(data)

    def _greets(self, data: bytes) -> bool:
        """Pass `data` on if it consists of introductions; tells whether it does."""
        commands = _whole(data)
        if not (commands and all(map(is_greeting, commands))):
            return False
        self._place.take(Transition.GREET)
        self._greeting.sent(commands)
        self._client.send(data)
        return True

    def take_held(self) -> bytes:
        """Hand over what waits here."""
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
    """The commands that `data` consists of; none if a part is missing, it makes no sense, or is long."""
    if len(data) > MAX_BYTES:
        return []
    parser = RequestParser()
    try:
        commands = parser.feed(data)
    except ProtocolError:
        return []
    return commands if parser.raw == data else []

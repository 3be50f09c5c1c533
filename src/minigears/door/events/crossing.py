"""The barrier behind a write that leaves alone on a shared connection.

A word is published right behind it on the same connection, so the notification connection hears it behind everything
that Redis has told of that write: no trip of its own, as a PING there takes. Then Redis is asked for the key's type:
a function that reads nothing else needs no trip either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from minigears.door.events.delivery import Event
from minigears.door.events.notifications import BARRIER_CHANNEL, Notifications
from minigears.protocol import encode_command


class Crossing:
    """One such write. It rides behind it as the word."""

    __slots__ = (
        "_heard",
        "_keys",
        "_notifications",
        "_said",
        "_unsent",
        "_waiting",
        "_word",
        "type",
    )

    def __init__(
        self,
        notifications: Notifications,
        unsent: Callable[[bytes], list[Event]] | None,
    ):
        """`unsent` gives the events of a key that are here and not on their way yet; None: types are not asked for."""
        self._notifications = notifications
        self._unsent = unsent
        self._keys: list[bytes] = []
        self._word = self._said = b""
        self._heard = False
        self._waiting: list[Callable[[], None]] = []
        self.type: KeyType | None = None
        """Rides behind the word, if anything does."""

    def board(self, keys: Sequence[bytes]) -> None:
        """These are going to be written."""
        self._keys += keys

    def behind(self) -> bytes:
        """What is sent behind the writes."""
        self._word = self._notifications.expect(self._hear)
        word = encode_command([b"PUBLISH", BARRIER_CHANNEL, self._word])
        if self._unsent is None or len(self._keys) > 1:
            return word
        self.type = KeyType()
        return word + encode_command([b"TYPE", self._keys[0]])

    def _hear(self) -> None:
        if self.type is not None and self._unsent is not None:
            self.type.holds_for(self._unsent(self._keys[0]))
        self._pass()

    def answered(self, piece: bytes, whole: bool) -> None:
        """Redis says how many have heard the word; if nobody, or if it was refused, a PING does."""
        self._said += piece
        if whole and (self._said == b":0\r\n" or not self._said.startswith(b":")):
            self._notifications.forget(self._word)
            self._notifications.barrier(self._pass)

    def _pass(self) -> None:
        self._heard = True
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def when_passed(self, callback: Callable[[], None]) -> None:
        """Call back when every notification of these writes has been handled; never if a connection is lost."""
        if self._heard:
            callback()
        else:
            self._waiting.append(callback)


class KeyType:
    """The reply to `TYPE`, and the events that it holds for: those that Redis told of before it was asked."""

    __slots__ = ("_events", "_said", "_type")

    def __init__(self) -> None:
        self._said = self._type = b""
        self._events: Collection[Event] = ()

    def holds_for(self, events: Collection[Event]) -> None:
        """These came before the word."""
        self._events = events
        self._tell()

    def answered(self, piece: bytes, whole: bool) -> None:
        """Take the reply; after an error nobody is told of a type."""
        self._said += piece
        if whole and self._said.startswith(b"+"):
            self._type = self._said[1:-2]
            self._tell()

    def _tell(self) -> None:
        for event in self._events:
            event.kind = self._type

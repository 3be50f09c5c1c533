"""The replies of one backend connection on their way to the client, and what holds them back.

Nothing is parsed until it has to be. As long as no write of this client concerns a registration,
bytes are passed on as they come (`passing`). The first such write sends a marker ahead (`PING nonce`),
which tells where in the stream counting begins (`counting`). From then on replies are counted, and a
chunk with the reply of a concerned write is kept until that write is settled. Pure: no I/O.
"""

from __future__ import annotations

import enum
import functools
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import hiredis

from minigears.door.clients.batches import Batch
from minigears.door.clients.states import WrongStateError
from minigears.door.events.hold import Hold
from minigears.door.events.journal import Intent
from minigears.protocol import encode_command

_MORE = object()
_MESSAGES = (b"message", b"pmessage", b"smessage")
MAX_KEPT = 1 << 20
"""Bytes of replies that wait behind one that is held back, before no more are read from Redis."""

_PONG = b"*2\r\n$4\r\npong\r\n"
"""What stands before the marker when the client is in RESP2's subscriber mode."""


class Mode(enum.Enum):
    """How far the replies of a client are looked at."""

    PASSING = enum.auto()
    MARKING = enum.auto()
    COUNTING = enum.auto()


_PASSING = Mode.PASSING  # Python 3.11 takes its time to find the member of an enum


@dataclass
class _Chunk:
    data: bytes
    holds: list[Hold] = field(default_factory=list)


class ReplyStream:
    """Feeds on backend bytes, gives client bytes to `write`, and says which holds are due."""

    def __init__(self, write: Callable[[bytes], None], on_due: Callable[[list[Hold]], None]):
        self.mode = Mode.PASSING
        self.discard = False
        """Drop replies, for a client that asked for `CLIENT REPLY OFF`."""
        self._write = write
        self._on_due = on_due
        self._nonce = b""
        self._head = b""
        """What stands before the nonce in the answer to the marker."""
        self._marked = b""
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._sent = 0
        self._received = 0
        self._holds: deque[Hold] = deque()
        self._unsettled = 0
        self._unsettled_bytes = 0
        self._kept: deque[_Chunk] = deque()
        self.kept_bytes = 0
        """Bytes of replies that are kept back."""
        self._on_drained: Callable[[], None] | None = None
        self._capture: Callable[[bytes], None] | None = None
        self._to_take = 0
        """How many replies who captures is still to get."""
        self._taken: list[bytes] = []
        self._past_messages = False
        self._watched: dict[int, Callable[[bool], None]] = {}
        """Who is to be told of a reply, by its number."""
        self._lines: list[bytes] = []
        """Of a message that has arrived in part, while messages are told apart."""

    @property
    def waiting(self) -> bool:
        """Whether a reply is held back or the reply of a concerned write is still to come."""
        return bool(self._holds or self._kept)

    @property
    def asked(self) -> bool:
        """Whether somebody waits for Redis to answer, and for no function."""
        return self._capture is not None or (self._on_drained is not None and not self.waiting)

    @property
    def blocked(self) -> bool:
        """Whether the next reply may be long in coming: that of BLPOP, say.

        When its client leaves, Redis has to know, or it would give to nobody what somebody sends.
        """
        return bool(self._holds) and self._holds[0].blocking

    @property
    def backlog(self) -> int:
        """Commands of concerned batches that are not settled."""
        return self._unsettled

    @property
    def backlog_bytes(self) -> int:
        """Bytes of the keys of batches that are not settled."""
        return self._unsettled_bytes

    @property
    def full(self) -> bool:
        """Whether so much is kept that no more should be read from Redis.

        Never while the first that is kept needs a reply that is still to come.
        """
        if self.kept_bytes <= MAX_KEPT or not self._kept:
            return False
        return not (self._holds and self._holds[0] in self._kept[0].holds)

    @property
    def drained(self) -> bool:
        """Whether it is known that every command sent is answered, and every reply passed on."""
        return self.mode is Mode.COUNTING and self._received >= self._sent and not self._kept

    def start_counting(self, trusted: bool = True) -> bytes:
        """Begin to count from the next command on; returns the marker to send before it.

        Whom Redis does not let say PING, as it is not logged in, gets an error that names the marker.
        """
        self._nonce = secrets.token_hex(16).encode()
        self.mode = Mode.MARKING
        self._sent = self._received = 0
        self._watched = {}
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._head = b"$%d\r\n" % len(self._nonce) if trusted else b"-ERR unknown command '"
        return encode_command([b"PING", self._nonce] if trusted else [self._nonce])

    def count_from_start(self) -> None:
        """Count from the first command of the connection, which needs no marker.

        Raises:
            WrongStateError: there was one already.
        """
        if self._sent or self.mode is not Mode.PASSING:
            raise WrongStateError("it is too late to count from the start")
        self.mode = Mode.COUNTING

    def stop_counting(self) -> None:
        """Pass everything on from here.

        Raises:
            WrongStateError: a reply that counts is still to come.
        """
        if not (self.drained or self.mode is Mode.PASSING):
            raise WrongStateError("replies are missing that have to be counted")
        self.mode = Mode.PASSING

    def watch(self, place: int, callback: Callable[[bool], None]) -> None:
        """Tell whether the reply to one of the commands that are sent next, from 1, is an error."""
        self._watched[self._sent + place] = callback

    def sent(self, commands: int) -> None:
        """A batch of so many commands was forwarded that concerns no registration."""
        self._sent += commands

    def sent_concerned(self, batch: Batch, intent: Intent) -> None:
        """A batch was forwarded whose replies have to wait; `intent` is what the journal has of it."""
        first, last = self._sent + 1, self._sent + batch.last
        hold = Hold(first, last, frozenset(batch.keys), intent, batch.blocking)
        self._holds.append(hold)
        self._unsettled += batch.last
        self._unsettled_bytes += hold.size
        self._sent += len(batch.commands)

    def abandon(self) -> list[Hold]:
        """The backend is gone: the holds whose replies will never come."""
        holds, self._holds = list(self._holds), deque()
        return holds

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back once every command sent is answered and every reply passed on."""
        self._on_drained = callback
        self._check_drained()

    def capture(
        self, callback: Callable[[bytes], None], past_messages: bool = False, count: int = 1
    ) -> None:
        """Give the raw bytes of the next replies to `callback`; `count` commands are about to be sent.

        With `past_messages` it is known that no reply to that command looks like a message, which who has
        subscribed in RESP2 gets at any time: messages that come before it are passed on.

        Raises:
            WrongStateError: the next reply would be that of an earlier command.
        """
        if self._capture or not self.drained:
            raise WrongStateError("the next reply belongs to another command")
        self._capture, self._past_messages = callback, past_messages
        self._to_take, self._taken = count, []

    def settle(self, holds: Sequence[Hold]) -> None:
        """The functions of these writes are done: pass on what waited for them only."""
        for hold in holds:
            hold.settled = True
            self._unsettled -= len(hold)
            self._unsettled_bytes -= hold.size
        while self._kept and all(hold.settled for hold in self._kept[0].holds):
            data = self._kept.popleft().data
            self.kept_bytes -= len(data)
            self._write(data)
        self._check_drained()

    def feed(self, data: bytes) -> None:
        """Bytes from the backend."""
        if self.mode is _PASSING:
            self._write(data)
        elif self.mode is Mode.MARKING:
            self._find_marker(data)
        else:
            self._count(data)

    def _find_marker(self, data: bytes) -> None:
        self._marked += data
        at = self._marked.find(self._nonce)
        end = self._marked.find(b"\r\n", at) + 2
        if at < 0 or end < at:
            keep = len(self._nonce) + 64
            if at < 0 and len(self._marked) > keep:
                self._write(self._marked[:-keep])
                self._marked = self._marked[-keep:]
            return
        before = self._marked[: at - len(self._head)].removesuffix(_PONG)
        rest, self._marked = self._marked[end:], b""
        if before:
            self._write(before)
        self.mode = Mode.COUNTING
        self._count(rest)

    def _count(self, data: bytes) -> None:
        taken = None
        if self._capture or self.discard:
            data, taken = self._sift(data)
        elif data:
            self._read(data)
        self._keep_or_emit(data)
        if taken:
            taken()
        self._check_drained()

    def _read(self, data: bytes) -> list[object]:
        """What is complete once `data` has come; replies are counted, push messages are not."""
        found = []
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _MORE:
            found.append(reply)
            if not isinstance(reply, hiredis.PushNotification):
                self._received += 1
                if self._watched and (callback := self._watched.pop(self._received, None)):
                    callback(isinstance(reply, hiredis.ReplyError))
        return found

    def _sift(self, data: bytes) -> tuple[bytes, Callable[[], None] | None]:
        """Take a reply away for who captures it, or drop it; push messages and the rest are for the client.

        Returns these, and what gives the reply to who captures it.
        """
        passed: list[bytes] = []
        taken = None
        for line in data.splitlines(keepends=True):  # a message ends where a line ends
            self._lines.append(line)
            for reply in self._read(line):
                message, self._lines = b"".join(self._lines), []
                if isinstance(reply, hiredis.PushNotification):
                    passed.append(message)
                elif self._capture and self._past_messages and _is_message(reply):
                    self._received -= 1
                    passed.append(message)
                elif self._capture:
                    self._taken.append(message)
                    self._to_take -= 1
                    if not self._to_take:
                        taken = functools.partial(self._capture, b"".join(self._taken))
                        self._capture = None
                elif not self.discard:
                    passed.append(message)
        if not (self._capture or self.discard):
            passed += self._lines
            self._lines = []
        return b"".join(passed), taken

    def _keep_or_emit(self, data: bytes) -> None:
        """A chunk waits for the holds of all batches that it has replies of."""
        due = []
        while self._holds and self._holds[0].last <= self._received:
            due.append(self._holds.popleft())
        begun = [h for h in list(self._holds)[:1] if h.first <= self._received]
        if due or begun or self._kept:
            self._kept.append(_Chunk(data, due + begun))
            self.kept_bytes += len(data)
            if due:
                self._on_due(due)
        else:
            self._write(data)

    def _check_drained(self) -> None:
        if self._on_drained and self.drained:
            callback, self._on_drained = self._on_drained, None
            callback()


def _is_message(reply: object) -> bool:
    return isinstance(reply, list) and bool(reply) and reply[0] in _MESSAGES

"""Commands that user code sends to Redis: what may be sent, in which form, and what comes back.

RedisGears calls commands from inside the server. Three things differ when they come over a socket:
commands that would wait must answer at once (Redis does that inside MULTI), commands that change
the connection's own state are refused, and writes of a sync function are put between two marks, so
that the door raises no KeysReader events for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from minigears.address import Address
from minigears.commandtable import CommandTable
from minigears.executor.errors import GearsError
from minigears.executor.redis import busy
from minigears.executor.redis.apart import Apart, apart
from minigears.executor.redis.connection import BlockingConnection, RedisError, pack
from minigears.executor.replies import to_text
from minigears.interest import OWN_CHANNEL
from minigears.marks import END, Marker, new_secret
from minigears.prefixmap import PrefixMap

_MULTI = pack((b"MULTI",))
_EXEC = pack((b"EXEC",))
_END = pack((b"PUBLISH", OWN_CHANNEL, END))
_marker = Marker(new_secret())

_REFUSED = frozenset(
    b"subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe monitor multi exec "
    b"discard watch unwatch quit reset hello auth select sync psync".split()
)
_REFUSED_PARTS = frozenset({(b"client", b"reply"), (b"script", b"debug")})
"""Commands and subcommands after which replies do not come one for each command."""
_WAITING = frozenset(
    b"blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop wait waitaof".split()
)
_MAY_WAIT = frozenset({b"xread", b"xreadgroup"})

_TEXTS = (
    ("ERR unknown command", "No such file or directory"),
    ("ERR unknown subcommand", "No such file or directory"),
    ("ERR wrong number of arguments", "Invalid argument"),
)
"""Errors that RedisGears tells by their errno, since the command is never called."""


def mark_with(secret: str) -> None:
    """Make marks that the door believes, which knows the same secret."""
    global _marker
    _marker = Marker(secret)


def _begin() -> bytes:
    return pack((b"PUBLISH", OWN_CHANNEL, _marker.begin()))


class Call:
    """What is sent in one go, how many replies come, and which of them matter."""

    __slots__ = ("data", "replies", "result")

    def __init__(self, data: bytes, replies: int, result: Callable[[list[Any]], Any]):
        self.data = data
        self.replies = replies
        self.result = result
        """Picks the result out of the replies; an error reply is returned as a RedisError."""


def plain(argv: Sequence[bytes]) -> Call:
    """One command as it is."""
    return Call(pack(argv), 1, _first)


def in_multi(argv: Sequence[bytes], marked: bool) -> Call:
    """One command inside MULTI, between the marks if asked."""
    if marked:
        return Call(b"".join((_MULTI, _begin(), pack(argv), _END, _EXEC)), 5, _second_of_exec)
    return Call(b"".join((_MULTI, pack(argv), _EXEC)), 3, _first_of_exec)


def together(argvs: Sequence[Sequence[bytes]], marked: bool) -> Call:
    """Several commands at once, between the marks if asked; the result is the list of replies."""
    parts = [pack(argv) for argv in argvs]
    if not marked:
        return Call(b"".join(parts), len(parts), list)
    data = b"".join([_MULTI, _begin(), *parts, _END, _EXEC])
    return Call(data, len(parts) + 4, _inner_of_exec)


def _first(replies: list[Any]) -> Any:
    return replies[0]


def _first_of_exec(replies: list[Any]) -> Any:
    return _of_exec(replies)[0]


def _second_of_exec(replies: list[Any]) -> Any:
    return _of_exec(replies)[1]


def _inner_of_exec(replies: list[Any]) -> Any:
    return _of_exec(replies)[1:-1]


def _of_exec(replies: list[Any]) -> list[Any]:
    last = replies[-1]
    if isinstance(last, RedisError):  # refused before EXEC: the reason came when it was queued
        reason = next((r for r in replies if isinstance(r, RedisError)), last)
        return [reason] * len(replies)
    return list(last)


class Rules:
    """Decides the form of each command, from the command table and the keys being watched."""

    def __init__(self, table: CommandTable):
        self.table = table
        self._watched: PrefixMap[None] = PrefixMap(())
        self._missed: PrefixMap[None] = PrefixMap(())
        self._followed: PrefixMap[None] = PrefixMap(())

    def watch(self, patterns: Sequence[tuple[bytes, bool, bool]]) -> None:
        """Note what KeysReader registrations watch: (key or prefix, exact, wants key misses)."""
        self._watched = PrefixMap((text, exact, None) for text, exact, _ in patterns)
        # Even a whole key counts as a prefix here: hiding one event too many does no harm.
        self._missed = PrefixMap((text, False, None) for text, _, misses in patterns if misses)

    def follow(self, patterns: Sequence[tuple[bytes, bool]]) -> None:
        """Note what `sync` registrations are about: (key or prefix, exact)."""
        self._followed = PrefixMap((text, exact, None) for text, exact in patterns)

    def followed(self, argv: Sequence[bytes]) -> list[bytes]:
        """Keys that `argv` may have changed, and that `sync` registrations are about."""
        if not self._followed:
            return []
        return [key for key in self.table.written_keys(argv) if key in self._followed]

    def watched(self, key: bytes) -> bool:
        """Whether a KeysReader registration is about this key."""
        return key in self._watched

    @property
    def misses_matter(self) -> bool:
        """Whether any registration wants to know of reads that find nothing."""
        return bool(self._missed)

    def missed(self, key: bytes) -> bool:
        """Whether a registration wants to know when this key is read and not there."""
        return key in self._missed

    def form(self, argv: Sequence[bytes], sync: bool) -> Call:
        """The form in which to send `argv`; raises GearsError if user code may not send it."""
        name = argv[0].lower()
        if name in _REFUSED:
            raise GearsError(f"{name.decode()} can not be called from a function")
        if len(argv) > 1 and (name, argv[1].lower()) in _REFUSED_PARTS:
            words = b" ".join(argv[:2]).decode().lower()
            raise GearsError(f"{words} can not be called from a function")
        waits = name in _WAITING or (name in _MAY_WAIT and _has_word(argv, b"block"))
        marked = sync and self._raises_events(argv)
        if waits or marked:
            return in_multi(argv, marked)
        return plain(argv)

    def _raises_events(self, argv: Sequence[bytes]) -> bool:
        if self._watched and any(map(self.watched, self.table.written_keys(argv))):
            return True
        return bool(self._missed) and any(map(self.missed, self.table.keys(argv)))


def _has_word(argv: Sequence[bytes], word: bytes) -> bool:
    return any(w.lower() == word for w in argv)


def to_words(words: Sequence[Any]) -> list[bytes]:
    """Arguments of `execute` as Redis gets them; raises GearsError when there are none."""
    if not words:
        raise GearsError("execute function must get at least a command to execute")
    return [
        w.encode()
        if type(w) is str
        else bytes(w)
        if isinstance(w, (bytes, bytearray, memoryview))
        else str(w).encode()
        for w in words
    ]


def to_value(reply: Any) -> Any:
    """Redis's reply as user code sees it; raises GearsError for an error reply."""
    if isinstance(reply, bytes):
        return to_text(reply)
    if isinstance(reply, list):
        return [str(r) if isinstance(r, RedisError) else to_value(r) for r in reply]
    if isinstance(reply, RedisError):
        text = str(reply)
        known = next((short for start, short in _TEXTS if text.startswith(start)), None)
        raise GearsError(known or f"{text}\r\n")
    return reply


class Caller(Protocol):
    """How commands of running code reach Redis."""

    def call(self, call: Call) -> Any:
        """Send and wait for the reply; an error reply is returned as a RedisError."""

    def apart(self) -> AbstractContextManager[Apart]:
        """A connection for calls whose replies are taken later."""


class AtomicGate:
    """One `atomic()` block at a time in this process, and no other function's call inside it."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._holder: int | None = None
        self._depth = 0

    def enter(self) -> None:
        """Begin a block; may be nested in one thread."""
        me = threading.get_ident()
        with self._free:
            self._free.wait_for(lambda: self._holder in (None, me))
            self._holder = me
            self._depth += 1

    def leave(self) -> None:
        """End the innermost block."""
        with self._free:
            self._depth -= 1
            if not self._depth:
                self._release()

    @property
    def depth(self) -> int:
        """How many blocks this thread is in."""
        return self._depth if self._holder == threading.get_ident() else 0

    def unwind(self, depth: int) -> None:
        """End the blocks that a function which is over was in; an abort may have cut them off.

        `depth` is how many this thread was in before.
        """
        while self.depth > depth:
            self.leave()

    def wait(self) -> None:
        """Wait while another thread is inside a block."""
        me = threading.get_ident()
        if self._holder not in (None, me):
            with self._free:
                self._free.wait_for(lambda: self._holder in (None, me))

    def _release(self) -> None:
        self._holder, self._depth = None, 0
        self._free.notify_all()


class BlockingCaller:
    """A connection for each thread that calls, opened when it first does."""

    def __init__(self, address: Address, gate: AtomicGate):
        self._address = address
        self._gate = gate
        self._local = threading.local()

    def connection(self) -> BlockingConnection:
        """This thread's connection; raises OSError when Redis cannot be reached."""
        connection: BlockingConnection | None = getattr(self._local, "connection", None)
        if connection is None or not connection.alive():
            self._drop()
            connection = self._local.connection = BlockingConnection(self._address)
        return connection

    def call(self, call: Call) -> Any:
        """Send on this thread's connection; raises GearsError when Redis has gone."""
        self._gate.wait()
        try:
            connection = self.connection()
            while True:
                connection.send(call.data)
                result = call.result(connection.read_many(call.replies))
                if not busy.is_refused_for_now(result):
                    return result
                busy.pause()
        except OSError as error:
            self._drop()
            raise GearsError(f"the connection to Redis is lost: {error}") from error
        except BaseException:  # an abort: the reply that nobody has read would be the next call's
            self._drop()
            raise

    def apart(self) -> AbstractContextManager[Apart]:
        """A connection for calls whose replies are taken later; raises GearsError when Redis has gone."""
        return apart(self._address, self._gate.wait)

    def _drop(self) -> None:
        connection: BlockingConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None

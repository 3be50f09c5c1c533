"""Commands that clients may share a connection for: which they are, and whose reply is whose. Pure: no I/O.

Such a command does not depend on what its connection did before, never waits in Redis for somebody
else, and has a reply of one line or one string.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

from minigears.door.commands.shapes import behind, end_of, head, head_at
from minigears.protocol import Command, ProtocolError


class Use(enum.Enum):
    """What a command does with its key. `CLIENT PAUSE WRITE` stops a connection at its first write."""

    READS = enum.auto()
    WRITES = enum.auto()
    CAPTURED = enum.auto()
    """It writes, and its key looks like one whose writes are captured."""


_READS = """
    PING/1 PING/2 ECHO/2 GET/2 STRLEN/2 GETRANGE/4 GETBIT/3 EXISTS/2 TYPE/2 TTL/2 PTTL/2 HGET/3
    HEXISTS/3 HLEN/2 HSTRLEN/3 LLEN/2 LINDEX/3 SCARD/2 SISMEMBER/3 ZCARD/2 ZSCORE/3 ZRANK/3 ZREVRANK/3 ZCOUNT/4
    XLEN/2 JSON.GET/2 JSON.GET/3
"""
_WRITES = """
    SET/3 SET/4 SET/5 SETNX/3 SETEX/4 PSETEX/4 GETSET/3 GETDEL/2 GETEX/2 GETEX/4 APPEND/3 SETRANGE/4
    SETBIT/4 INCR/2 DECR/2 INCRBY/3 DECRBY/3 INCRBYFLOAT/3 DEL/2 UNLINK/2 EXPIRE/3 PEXPIRE/3 EXPIREAT/3
    PEXPIREAT/3 PERSIST/2 HSET/4 HSET/6 HSETNX/4 HINCRBY/4 HINCRBYFLOAT/4 HDEL/3 LPUSH/3 RPUSH/3
    LPUSHX/3 RPUSHX/3 LPOP/2 RPOP/2 LSET/4 LREM/4 LTRIM/4 SADD/3 SREM/3 SPOP/2 ZADD/4 ZREM/3
    ZINCRBY/4 XADD/5 PFADD/3 JSON.SET/4 JSON.DEL/2 JSON.DEL/3
"""
"""Names, and the number of words with which the reply is as simple as that."""


def _table() -> dict[tuple[int, bytes], Use]:
    found = {}
    for listed, use in ((_READS, Use.READS), (_WRITES, Use.WRITES)):
        for entry in listed.split():
            name, _, words = entry.partition("/")
            found[int(words), name.encode()] = use
    return found


MAX_BYTES = 16 * 1024
"""Of a command or a reply on a shared connection: a longer one would keep the others waiting."""

_USES = _table()


class Shared:
    """Which commands may share a connection, when some names are not to be."""

    def __init__(self, but: Collection[bytes] = ()):
        """`but` holds names in lower case."""
        self._uses = {
            head((words, spelt)): (use, behind(words))
            for (words, name), use in _USES.items()
            if name.lower() not in but
            for spelt in (name, name.lower())
        }

    def use(self, data: bytes) -> tuple[Use, int] | None:
        """What the command does that `data` consists of; None if it may not be shared, or is too long.

        Beside it: where its second word, its key if it has one, begins with its length.
        """
        begin = head_at(data, 0)
        found = self._uses.get(begin)
        if found is None or len(data) > MAX_BYTES:
            return None
        use, between = found
        at = len(begin)
        return (use, at) if end_of(data, at, between) == len(data) else None

    def use_of(self, argv: Command) -> Use | None:
        """The same for a command that was parsed."""
        found = self._uses.get(head((len(argv), argv[0].upper())))
        return found[0] if found else None

    def cut(self, data: bytes) -> list[tuple[Use, int, bytes]] | None:
        """The commands that `data` consists of, each as `use` tells it; None if one is not known, or not whole."""
        commands, at = [], 0
        while at < len(data):
            begin = head_at(data, at)
            found = self._uses.get(begin)
            if found is None:
                return None
            use, between = found
            start, at = at, end_of(data, at + len(begin), between)
            if at < 0:
                return None
            commands.append((use, len(begin), data[start:at]))
        return commands


_LINES = frozenset(b"-+:_,#(")
_STRINGS = frozenset(b"$=")
_ARRAY = ord("*")
_MAX_LINE = 1 << 16  # bytes


class ReplyCutter:
    """Cuts a stream of replies of one line or one string each."""

    def __init__(self) -> None:
        self._line = b""
        """The beginning of a line whose end is still to come."""
        self._missing = 0
        """Bytes still to come of a string that has begun."""

    def feed(self, data: bytes) -> list[tuple[bytes, bool | None]]:
        """Pieces of replies in their order, each with whether its reply ends with it.

        The first line of an array is told with None; its elements come as replies of their own.

        Raises:
            ProtocolError: there is a reply of another kind.
        """
        pieces: list[tuple[bytes, bool | None]] = []
        if self._missing:
            piece, data = data[: self._missing], data[self._missing :]
            self._missing -= len(piece)
            pieces.append((piece, not self._missing))
        elif self._line:
            data, self._line = self._line + data, b""
        at, size = 0, len(data)
        while at < size:
            kind, end = data[at], data.find(b"\r\n", at) + 2
            if kind not in _LINES and kind not in _STRINGS and kind != _ARRAY:
                raise ProtocolError("a reply is no line and no string")
            if end == 1:
                self._line = data[at:]
                if len(self._line) > _MAX_LINE:
                    raise ProtocolError("a reply's line has no end")
                break
            if kind == _ARRAY:
                pieces.append((data[at:end], None))
                at = end
                continue
            if kind in _STRINGS and (length := int(data[at + 1 : end - 2])) >= 0:
                end += length + 2
                self._missing = max(end - size, 0)
            pieces.append((data[at:end], end <= size))
            at = end
        return pieces

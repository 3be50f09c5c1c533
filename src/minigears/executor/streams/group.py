"""One stream's consumer group: read, count, acknowledge. Every group and consumer has one name,
as in RedisGears, so that a new registration takes over what an old one left pending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from minigears.executor.redis.connection import BlockingConnection, RedisError

GROUP = "__gears_consumer_group__"
CONSUMER = "__gears_client__"

_SCAN_COUNT = 1000
_PAGE = 25
"""Entries read at once: between two pages it is seen how large they were."""
MOST_BYTES = 16 * 1024 * 1024
"""Bytes of a batch after which no further page is read, however many entries it may have."""
_GLOB = {ord(special): f"\\{special}" for special in "*?[]\\^-"}

_ACK_AND_REMOVE = """
local acknowledged = 0
for from = 2, #ARGV, 5000 do
  local upto = math.min(from + 4999, #ARGV)
  acknowledged = acknowledged + redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, from, upto))
end
-- None: the stream was made anew since we read, and these ids may be other entries.
if acknowledged == 0 then return 0 end
for from = 2, #ARGV, 5000 do
  redis.call('XDEL', KEYS[1], unpack(ARGV, from, math.min(from + 4999, #ARGV)))
end
return acknowledged
"""


class StreamGone(Exception):
    """The key is no stream any more."""


class Entry(NamedTuple):
    """An entry of a stream; `fields` is None when it was removed while it was pending."""

    id: bytes
    fields: list[bytes] | None


class StreamBatch(NamedTuple):
    """Entries that were read, and whether their size ended the reading before their number did."""

    entries: list[Entry]
    cut: bool


class Unread(NamedTuple):
    """How many entries nobody has read, and the last id that was."""

    entries: int
    last_read: bytes


class StreamGroup:
    """The consumer group of one stream.

    Every method raises StreamGone when the key is no stream, OSError and RedisError when Redis
    cannot do it now. A group that is not there is made, and reads the stream from its start.
    """

    def __init__(self, conn: BlockingConnection, key: bytes):
        self._conn = conn
        self._key = key

    def read_pending(self, count: int) -> StreamBatch:
        """The first entries that were delivered and not acknowledged."""
        return self._pages(count, lambda last: b"0" if last is None else last.id)

    def read_new(self, count: int) -> StreamBatch:
        """Entries that were never delivered; they are pending from now on."""
        return self._pages(count, lambda last: b">")

    def _pages(self, count: int, start: Callable[[Entry | None], bytes]) -> StreamBatch:
        entries: list[Entry] = []
        size = 0
        while len(entries) < count:
            wanted = min(_PAGE, count - len(entries))
            page = self._read(wanted, start(entries[-1] if entries else None))
            entries += page
            size += sum(len(word) for entry in page for word in entry.fields or ())
            if len(page) < wanted:
                break
            if size >= MOST_BYTES:
                return StreamBatch(entries, cut=len(entries) < count)
        return StreamBatch(entries, cut=False)

    def length(self) -> int:
        """How many entries the stream has, read or not; 0 if it is gone."""
        try:
            count: int = self._conn.call("XLEN", self._key)
        except RedisError as error:
            raise _gone(error) from error
        return count

    def unread(self, enough: int) -> Unread:
        """Count the entries that were never delivered; may stop counting at `enough`.

        Raises StreamGone if there is no such stream any more.
        """
        info = self._info() or self._made(self._info)
        if info is None:
            raise StreamGone
        last_read: bytes = info[b"last-delivered-id"]
        lag = info.get(b"lag")
        if lag is None:  # Redis cannot tell once somebody removed unread entries
            lag = len(self._range_after(last_read, enough))
        return Unread(lag, last_read)

    def first_after(self, last_read: bytes) -> bytes | None:
        """The id of the first entry after `last_read`, if there is one."""
        found = self._range_after(last_read, 1)
        return found[0][0] if found else None

    def finish(self, ids: Sequence[bytes], trim: bool) -> None:
        """Acknowledge the entries and, with `trim`, remove just these, all at once."""
        try:
            if trim:
                self._conn.call("EVAL", _ACK_AND_REMOVE, "1", self._key, GROUP, *ids)
            else:
                self._conn.call("XACK", self._key, GROUP, *ids)
        except RedisError as error:
            raise _gone(error) from error

    def _read(self, count: int, start: bytes) -> list[Entry]:
        words = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", count, "STREAMS")

        def read() -> Any:
            return self._conn.call(*words, self._key, start)

        try:
            reply = read()
        except RedisError as error:
            if not str(error).startswith(("NOGROUP", "WRONGTYPE")):
                raise
            reply = self._made(read)
        return [Entry(*entry) for entry in reply[0][1]] if reply else []

    def _info(self) -> dict[bytes, Any] | None:
        try:
            groups = self._conn.call("XINFO", "GROUPS", self._key)
        except RedisError as error:
            raise _gone(error) from error
        for fields in groups:
            info = dict(zip(fields[::2], fields[1::2], strict=True))
            if info[b"name"] == GROUP.encode():
                return info
        return None

    def _range_after(self, last_read: bytes, count: int) -> list[Any]:
        found: list[Any] = self._conn.call(
            "XRANGE", self._key, b"(" + last_read, "+", "COUNT", count
        )
        return found

    def _made(self, then: Callable[[], Any]) -> Any:
        try:
            self._conn.call("XGROUP", "CREATE", self._key, GROUP, "0")
        except RedisError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise _gone(error) from error
        return then()


def matching_streams(conn: BlockingConnection, prefix: str) -> Iterator[bytes]:
    """The streams that match now: one key, or all that start alike if `prefix` ends with `*`.

    A key may come twice. Raises OSError and RedisError.
    """
    if not prefix.endswith("*"):
        key = prefix.encode(errors="surrogateescape")
        if conn.call("TYPE", key) == b"stream":
            yield key
        return
    pattern = (prefix[:-1].translate(_GLOB) + "*").encode(errors="surrogateescape")
    cursor: bytes | None = None
    while cursor != b"0":
        words = ("MATCH", pattern, "COUNT", _SCAN_COUNT, "TYPE", "stream")
        cursor, keys = conn.call("SCAN", cursor or b"0", *words)
        yield from keys


def _gone(error: RedisError) -> Exception:
    text = str(error)
    gone = text.startswith("WRONGTYPE") or "no such key" in text or "requires the key" in text
    return StreamGone(text) if gone else error

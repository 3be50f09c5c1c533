"""What an operator asks: what waits, who works, what was given up, and what is the matter with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..client.client import WriteBehind
from ..core import library
from ..core.documents import etag_of
from ..core.errors import Forgotten
from ..core.library import VERSION
from ..core.names import GROUP, Partition, stream_id_of, version_of
from ..databases.sink import TOMBSTONE_SECONDS, Sink, Stored


@dataclass(frozen=True)
class Backlog:
    """One partition's queue."""

    partition: Partition
    entries: int
    pending: int
    bytes: int
    oldest: float
    dead: int
    holder: str


@dataclass(frozen=True)
class Letter:
    """One dead letter."""

    partition: Partition
    letter_id: str
    stream_id: str
    key: str
    document: str
    error: str
    attempts: int


def status(wb: WriteBehind) -> Iterator[Backlog]:
    """Each partition's queue, in order."""
    ask = wb.redis.execute_command
    for partition in wb.partitions.all():
        entries = int(ask("XLEN", partition.stream))
        pending, age = 0, 0.0
        if entries:
            pending = sum(1 for _ in _pending(wb, partition, "-"))
            oldest = _text(_ids(ask("XRANGE", partition.stream, "-", "+", "COUNT", 1))[0])
            seconds, _ = library.call(wb.redis, "TIME", key=partition.stream)  # which dated it
            age = int(seconds) - int(oldest.split("-")[0]) / 1000
        size = int(ask("HGET", partition.state, "bytes") or 0) if entries else 0
        holder = _text(ask("GET", partition.lease) or "")
        dead = int(ask("XLEN", partition.dead))
        yield Backlog(partition, entries, pending, size, max(0.0, age), dead, holder)


def letters(wb: WriteBehind) -> Iterator[Letter]:
    """Every dead letter, oldest first in each partition."""
    for partition in wb.partitions.all():
        after = "-"
        while page := wb.redis.execute_command("XRANGE", partition.dead, after, "+", "COUNT", 100):
            for letter_id, fields in page:
                yield _letter(partition, _text(letter_id), fields)
            after = f"({_text(page[-1][0])}"


def replay(wb: WriteBehind, letter: Letter, though_gone: bool = False) -> None:
    """Put a dead letter back into the queue, with its own version: a newer write stays.

    Raises Forgotten for one that is older than deletes are remembered and whose document Redis has no
    more: it may have been deleted since. `though_gone`: it was not, or it is wanted back.
    """
    wb.prepare()
    at = letter.partition
    if not though_gone and wb.get(letter.key) is None and _age(wb, letter) >= TOMBSTONE_SECONDS:
        raise Forgotten(f"{letter.key} is not in Redis, and may have been deleted since")
    words = (at.stream, at.state, at.dead, VERSION, letter.letter_id, version_of(letter.stream_id))
    library.call(wb.redis, "FCALL", "wb_requeue", 3, *words)


def _age(wb: WriteBehind, letter: Letter) -> float:
    """Seconds since the write was taken, by the clock that dated it, wherever that has stepped back to."""
    at = letter.partition
    seconds, _ = library.call(wb.redis, "TIME", key=at.stream)
    last = _text(wb.redis.execute_command("HGET", at.state, "last") or "0")
    now = max(int(seconds), int(last.split("-")[0]) // 1000)
    return now - int(letter.stream_id.split("-")[0]) / 1000


def drop(wb: WriteBehind, letter: Letter) -> None:
    """Forget a dead letter."""
    wb.redis.execute_command("XDEL", letter.partition.dead, letter.letter_id)


@dataclass(frozen=True)
class Why:
    """All that is known of one key, and in one sentence what is the matter."""

    key: str
    partition: Partition
    in_redis: Any
    queued: list[str]
    pending: int
    holder: str
    letters: list[Letter]
    stored: Stored | None
    verdict: str


def why(wb: WriteBehind, sink: Sink, key: str) -> Why:
    """Walk one key from Redis to the database."""
    partition = wb.partitions.of(key)
    document, queued, stored = at_one_moment(wb, sink, key)
    delivered = set(_pending(wb, partition, "-")) if queued else set()
    dead = [letter for letter in letters(wb) if letter.key == key and letter.partition == partition]
    holder = _text(wb.redis.execute_command("GET", partition.lease) or "")
    found = Why(
        key, partition, document, queued, len(delivered & set(queued)), holder, dead, stored, ""
    )
    return Why(**{**found.__dict__, "verdict": _verdict(found)})


def at_one_moment(
    wb: WriteBehind, sink: Sink, key: str, tries: int = 100
) -> tuple[Any, list[str], Stored | None]:
    """A key's document, its entries that wait, and what is stored: with no write in between.

    Redis is read before the queue and the queue before the database. So if Redis is as it was at the
    end, and nothing waited, then what is stored is all that there will be. A key that is written
    without a pause is given up after so many tries, as it was last seen.
    """
    for _ in range(tries):
        document, etag = wb.get_with_etag(key)
        queued, stored = queued_ids(wb, key), sink.read(key)
        if wb.get_with_etag(key)[1] == etag:
            break
    return document, queued, stored


def queued_ids(wb: WriteBehind, key: str) -> list[str]:
    """The entries of a key that wait, oldest first."""
    stream = wb.partitions.of(key).stream
    return [_text(at) for at, fields in _all(wb, stream) if _field(fields, "key") == key]


def _verdict(found: Why) -> str:
    if found.queued and not found.holder:
        return f"{len(found.queued)} writes wait, and no worker holds partition {found.partition.tag}: start one"
    if found.pending:
        return f"{found.pending} writes are with worker {found.holder}, and the database has not taken them yet"
    if found.queued:
        return f"{len(found.queued)} writes wait behind others of partition {found.partition.tag}"
    newest = max((version_of(letter.stream_id) for letter in found.letters), default="")
    if found.letters and newest > (found.stored.version if found.stored else ""):
        return f"the database refused the last write: {found.letters[-1].error}"
    stored = found.stored.document if found.stored else None
    if same(found.in_redis, stored):
        return "both stores hold the same" if stored is not None else "neither store holds it"
    if found.in_redis is None:
        return (
            "only the database holds it: evicted, or deleted without being captured; see reconcile"
        )
    if found.stored is None:
        return "only Redis holds it, and nothing waits: it was never captured; see backfill"
    return "the stores differ, and nothing waits: one was changed without being captured; see reconcile"


def same(one: Any, other: Any) -> bool:
    """Whether two documents are the same JSON: 1 and 1.0 are, 1 and true are not."""
    return _canonical(one) == _canonical(other)


def _canonical(document: Any) -> str:
    def number(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: number(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [number(inner) for inner in value]
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
            return int(value)
        if isinstance(value, int) and abs(value) >= 2**63:  # PostgreSQL tells a great float so
            with suppress(OverflowError):
                return float(value)
        return value

    return etag_of(json.dumps(number(document), sort_keys=True, default=str))


def version_text(stored: Stored) -> str:
    """A stored version as the id of its entry."""
    return stream_id_of(stored.version) if stored.version else "none"


def _pending(wb: WriteBehind, partition: Partition, after: str) -> Iterator[str]:
    groups = wb.redis.execute_command("EXISTS", partition.stream)
    while groups:
        try:
            words = ("XPENDING", partition.stream, GROUP, after, "+", 1000)
            page = wb.redis.execute_command(*words, parse_detail=True)  # redis-py expects a summary
        except Exception as error:
            if "NOGROUP" in str(error):
                return
            raise
        ids = [_text(row["message_id"] if isinstance(row, dict) else row[0]) for row in page]
        yield from ids
        if not ids:
            return
        after = f"({ids[-1]}"


def _all(wb: WriteBehind, stream: str) -> Iterator[tuple[Any, Any]]:
    after = "-"
    while page := wb.redis.execute_command("XRANGE", stream, after, "+", "COUNT", 500):
        yield from page
        after = f"({_text(page[-1][0])}"


def _letter(partition: Partition, letter_id: str, fields: Any) -> Letter:
    name = ("id", "key", "doc", "error")
    stream_id, key, document, error = (_field(fields, one) for one in name)
    return Letter(
        partition, letter_id, stream_id, key, document, error, int(_field(fields, "attempts"))
    )


def _field(fields: Any, name: str) -> str:
    return _text(fields.get(name.encode(), fields.get(name, b"")))


def _ids(page: Any) -> list[Any]:
    return [stream_id for stream_id, _ in page]


def _text(word: Any) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)

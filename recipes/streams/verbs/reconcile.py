"""Compare both stores in the order of keys, in bounded memory, and repair what differs."""

from __future__ import annotations

import heapq
import itertools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..client.client import WriteBehind
from ..core.errors import Conflict
from ..databases.sink import Sink
from .looking import at_one_moment, same

_RUN = 50_000
"""Keys that are sorted in memory at a time; the rest lies in a temporary file."""


@dataclass(frozen=True)
class Difference:
    """A key whose documents differ, with nothing queued that would mend it."""

    key: str
    in_redis: Any
    in_database: Any

    @property
    def kind(self) -> str:
        """What is the matter."""
        if self.in_redis is None:
            return "only in the database"
        return "only in Redis" if self.in_database is None else "different"


def differences(wb: WriteBehind, sink: Sink, prefixes: tuple[str, ...], after: str = "",
                progress: Any = lambda key: None) -> Iterator[Difference]:  # fmt: skip
    """Every difference after a key, in the order of keys. `progress` is told each key."""
    wb.prepare()
    database = (
        (one.key.encode(), one.document) for one in sink.scan(after) if one.key.startswith(prefixes)
    )
    redis = (
        (key.encode(), None) for key in sorted_keys(wb, prefixes) if key.encode() > after.encode()
    )
    merged = heapq.merge(database, redis, key=lambda row: row[0])
    for raw, rows in itertools.groupby(merged, key=lambda row: row[0]):
        key = raw.decode()
        document = next((found for _, found in rows if found is not None), None)
        progress(key)
        if found := _difference(wb, sink, key, document):
            yield found


def _difference(wb: WriteBehind, sink: Sink, key: str, stored: Any) -> Difference | None:
    """Look again, and closer, before calling it one: writes go on while the stores are read."""
    if same(wb.get(key), stored):
        return None
    now, queued, found = at_one_moment(wb, sink, key)
    stored = found.document if found else None
    if queued or same(now, stored):  # what waits will mend it
        return None
    return Difference(key, now, stored)


def repair(wb: WriteBehind, difference: Difference) -> bool:
    """Make the database follow Redis, by a captured write; False if the key has changed since.

    A document that only the database holds is brought back into Redis: it may have been evicted,
    and nobody has deleted it.
    """
    now, etag = wb.get_with_etag(difference.key)
    if not same(now, difference.in_redis):
        return False
    document = difference.in_database if now is None else now
    try:
        wb.set(difference.key, document, if_match=etag)
    except Conflict:
        return False
    return True


def sorted_keys(wb: WriteBehind, prefixes: tuple[str, ...]) -> Iterator[str]:
    """Redis's keys in the order of their bytes: sorted in runs on disk, merged."""
    with tempfile.TemporaryDirectory() as folder:
        runs: list[Path] = []
        found = scan_keys(wb, prefixes)
        while run := sorted(set(itertools.islice(found, _RUN)), key=str.encode):
            path = Path(folder) / str(len(runs))
            path.write_text("".join(f"{json.dumps(key)}\n" for key in run), encoding="utf-8")
            runs.append(path)
        files: list[IO[str]] = [path.open(encoding="utf-8") for path in runs]
        try:
            lines = [map(json.loads, file) for file in files]
            for key, _ in itertools.groupby(heapq.merge(*lines, key=str.encode)):
                yield key
        finally:
            for file in files:
                file.close()


def scan_keys(wb: WriteBehind, prefixes: tuple[str, ...]) -> Iterator[str]:
    """Redis's keys, in no order; some twice."""
    for prefix in prefixes:
        pattern = "".join(f"\\{sign}" if sign in "*?[]\\^" else sign for sign in prefix) + "*"
        for key in wb.redis.scan_iter(match=pattern, count=1000):
            yield key.decode() if isinstance(key, bytes) else key


def backfill(wb: WriteBehind, prefixes: tuple[str, ...]) -> Iterator[str]:
    """Queue every document that Redis holds, as it is; yields each key.

    For a Redis whose documents were there before capture. A write of somebody else that comes
    between wins, as it is queued itself.
    """
    for key in scan_keys(wb, prefixes):
        document, etag = wb.get_with_etag(key)
        if document is None:
            continue
        try:
            wb.set(key, document, if_match=etag)
        except Conflict:
            continue
        yield key

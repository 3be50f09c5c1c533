"""PostgreSQL as the system of record."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from ..core.documents import complaint
from ..core.errors import Misconfigured
from ..core.faults import outage
from .sink import (
    ANSWERS_WITHIN,
    NO_VERSION,
    READS_WITHIN,
    TOMBSTONE_SECONDS,
    Change,
    Refusals,
    Rejected,
    Routes,
    Stored,
)
from .watch import Watch

_OF_THE_DOCUMENT = ("22", "23", "44", "54", "P0001")
"""SQLSTATE begins so for a document's fault: bad data, a constraint, too large, a trigger's veto."""

_MAKE = """
CREATE TABLE IF NOT EXISTS {table} (
    key text COLLATE "C" PRIMARY KEY,
    version text COLLATE "C" NOT NULL,
    document jsonb,
    deleted_at timestamptz
)"""
_FIND = "SELECT to_regclass({name}) IS NOT NULL"
_CHECK = """
SELECT count(*) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indrelid = to_regclass({name}) AND indisunique AND indisvalid AND indnatts = 1
AND indpred IS NULL AND attname = 'key'"""
# %b: psycopg takes longer over an array of text as text than PostgreSQL takes to store it.
_WRITE = """
INSERT INTO {table} AS stored (key, version, document, deleted_at)
SELECT key, version, document::jsonb, CASE WHEN document IS NULL THEN now() END
FROM unnest(%b::text[], %b::text[], %b::text[]) AS coming (key, version, document)
ON CONFLICT (key) DO UPDATE
SET version = excluded.version, document = excluded.document, deleted_at = excluded.deleted_at
WHERE stored.version < excluded.version"""

_NEWEST = """
SELECT max({table}.version) FROM {table} JOIN unnest(%s::text[], %s::text[]) AS ours (key, version)
USING (key) WHERE {table}.version > ours.version
"""


class PostgresSink:
    """One fenced upsert a batch, committed before it counts.

    `routes` maps prefixes of keys to tables, made as `(key, version, document, deleted_at)` where
    they are missing. A deleted document leaves its key and version for a day, with no document.
    """

    def __init__(self, url: str, routes: Mapping[str, str]) -> None:
        self.routes = Routes(routes)
        self._url = url
        self._local = threading.local()
        self._all: list[psycopg.Connection[Any]] = []
        self._watch = Watch()

    def open(self) -> None:
        """Make the tables, or check that those there have what the fence needs."""
        for name in self.routes.names():
            # Looked for first: without the right to make tables one may use those that are there.
            if not self._ask(_FIND, name):
                with suppress(_Refused), self._connection() as connection:
                    connection.execute(_for(_MAKE, name))  # refused: another made it just now
            if not self._ask(_CHECK, name):
                raise Misconfigured(
                    f"the table {name} has no unique index on key alone, which the fence needs:"
                    f" ALTER TABLE {name} ADD PRIMARY KEY (key)"
                )

    def _ask(self, question: str, table: str) -> Any:
        named = sql.Literal(sql.Identifier(table).as_string())
        with self._connection(READS_WITHIN) as connection:
            row = connection.execute(sql.SQL(question).format(name=named)).fetchone()  # type: ignore[arg-type,unused-ignore]
        return row and row[0]

    def write(self, changes: Sequence[Change]) -> Refusals:
        """One statement a table; only if that is refused for a document's sake, one a document."""
        rejected = Refusals()
        batches: dict[str, list[Change]] = {}
        for change in changes:
            name = self.routes.of(change.key)
            problem = complaint(change.document) if change.document is not None else ""
            if name is None or problem:
                rejected.append(Rejected(change, problem or f"no route for the key {change.key!r}"))
            else:
                batches.setdefault(name, []).append(change)
        for name, batch in batches.items():
            rejected.add(self._write(name, batch))
        return rejected

    def _write(self, name: str, batch: list[Change]) -> Refusals:
        columns = (
            [change.key for change in batch],
            [change.version for change in batch],
            [None if c.document is None else c.text or json.dumps(c.document) for c in batch],
        )
        try:
            with self._connection() as connection:
                _set_for_now(connection)
                written = connection.execute(_for(_WRITE, name), columns)  # Property 3: the fence
                found = Refusals()
                if written.rowcount < len(batch):
                    row = connection.execute(_for(_NEWEST, name), columns[:2]).fetchone()
                    found.newest = (row and row[0]) or ""
        except _Refused as refused:
            if len(batch) == 1:
                return Refusals([Rejected(batch[0], str(refused))])
            middle = len(batch) // 2
            return self._write(name, batch[:middle]).add(self._write(name, batch[middle:]))
        return found

    def read(self, key: str) -> Stored | None:
        """One row, by its key."""
        name = self.routes.of(key)
        if name is None:
            return None
        query = _for("SELECT key, document, version FROM {table} WHERE key = %s", name)
        with self._connection() as connection:
            row = connection.execute(query, [key]).fetchone()
        return Stored(*row) if row else None

    def scan(self, after: str = "") -> Iterator[Stored]:
        """All tables in the order of `key`, a thousand rows at a time."""
        parts = [_for("SELECT key, document, version FROM {table}", n) for n in self.routes.names()]
        union = sql.SQL(" UNION ALL ").join(parts)
        page = sql.SQL("SELECT * FROM ({}) AS t WHERE key > %s ORDER BY key LIMIT 1000").format(
            union
        )
        while True:
            with self._connection(READS_WITHIN) as connection:
                rows = connection.execute(page, [after]).fetchall()
            yield from (Stored(*row) for row in rows)
            if not rows:
                return
            after = rows[-1][0]

    def greatest_version(self) -> str | None:
        """Reads all versions: asked for only when Redis has lost a stream."""
        found: list[str] = []
        for name in self.routes.names():
            with self._connection(READS_WITHIN) as connection:
                greatest = _for("SELECT max(version) FROM {table} WHERE version < %s", name)
                row = connection.execute(greatest, [NO_VERSION]).fetchone()
            found += [row[0]] if row and row[0] else []
        return max(found, default=None)

    def purge(self) -> None:
        """Remove tombstones that are older than anything that can be replayed."""
        gone = "DELETE FROM {table} WHERE deleted_at < now() - %s * interval '1 second'"
        for name in self.routes.names():
            with self._connection(READS_WITHIN) as connection:
                _set_for_now(connection)
                connection.execute(_for(gone, name), [TOMBSTONE_SECONDS])

    def close(self) -> None:
        """Close every thread's connection."""
        self._watch.close()
        for connection in self._all:
            connection.close()

    def _connection(self, seconds: float | None = None) -> _Transaction:
        """This thread's connection, in a transaction that may take so long, else ANSWERS_WITHIN."""
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            try:
                connection = psycopg.connect(
                    self._url, connect_timeout=5, application_name="write-behind"
                )
            except psycopg.ProgrammingError as error:  # the URL itself
                raise Misconfigured(f"PostgreSQL: {error}") from error
            except psycopg.Error as error:
                raise outage("PostgreSQL", error) from error
            self._all = [c for c in self._all if not c.closed] + [connection]
            self._local.connection = connection
        return _Transaction(connection, self._watch, seconds or ANSWERS_WITHIN)


class _Refused(Exception):
    """A statement was refused for the sake of a document in it."""


class _Transaction:
    """Commits at the end of the block; tells an outage from a refusal, and ends waiting in vain."""

    def __init__(self, connection: psycopg.Connection[Any], watch: Watch, seconds: float) -> None:
        self._connection, self._watch, self._seconds = connection, watch, seconds

    def __enter__(self) -> psycopg.Connection[Any]:
        self._watch.begin(self._connection, self._seconds)
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._end(error)
        finally:
            self._watch.end(self._connection)

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self._connection.commit()
            elif not self._connection.closed:
                self._connection.rollback()
        except psycopg.Error as late:
            self._connection.close()
            error = error or late
        if isinstance(error, psycopg.Error):
            if (error.sqlstate or "").startswith(_OF_THE_DOCUMENT):
                raise _Refused(f"{error} (SQLSTATE {error.sqlstate})") from error
            raise outage("PostgreSQL", error) from error


def _set_for_now(connection: psycopg.Connection[Any]) -> None:
    """Whatever the server's defaults, for one transaction.

    Property 2: a commit is on disk before it counts. And a worker that is frozen or cut off before its commit
    holds the rows that it wrote: the server gives it up, or its successor would wait for as long.
    """
    wanted = ("on", f"{ANSWERS_WITHIN * 1000:.0f}")  # milliseconds
    connection.execute(
        "SELECT set_config('synchronous_commit', %s, true),"
        " set_config('idle_in_transaction_session_timeout', %s, true)",
        wanted,
    )


def _for(statement: str, table: str) -> sql.Composed:
    return sql.SQL(statement).format(table=sql.Identifier(table))  # type: ignore[arg-type,unused-ignore]

"""Writes down every change of a PostgreSQL table: a trigger keeps them, in the change's own transaction."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import psycopg
from psycopg import sql

from tests.histories.verdict.history import Change, Document

_PREPARE = """
CREATE TABLE witnessed (number bigserial PRIMARY KEY, key text NOT NULL, document jsonb);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO witnessed (key, document) VALUES (OLD.key, NULL);
    ELSE
        INSERT INTO witnessed (key, document) VALUES (NEW.key, NEW.document);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION witness()"""


class PostgresWitness:
    """Reads what the trigger has kept, through restarts of the server."""

    def __init__(self, url: str, table: str, clock: Callable[[], float], prefix: str):
        self._url, self._table, self._clock, self._prefix = url, table, clock, prefix
        self._seen: set[int] = set()  # a lower number may be committed after a higher one
        self._over = threading.Event()
        self.changes: list[Change] = []
        self._thread = threading.Thread(target=self._follow, daemon=True)

    @staticmethod
    def prepare(url: str, table: str) -> None:
        """Make the trigger, once. Raises psycopg.Error."""
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL(_PREPARE).format(table=sql.Identifier(table)))

    def start(self) -> None:
        """Begin. Nothing can be missed: the trigger is there."""
        self._thread.start()

    def stop(self) -> None:
        """End. What has happened until now is in `changes`."""
        self._over.set()
        self._thread.join(60)
        self._look()

    def sees(self) -> bool:
        """Whether it is told of what happens now. A table has no ears: what is in it is read at the end."""
        return True

    def documents(self) -> dict[str, Document]:
        """What the table holds now. Raises psycopg.Error."""
        query = sql.SQL("SELECT key, document FROM {table} WHERE starts_with(key, %s)").format(
            table=sql.Identifier(self._table)
        )
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(query, [self._prefix]).fetchall()
        return {key: document for key, document in rows if document is not None}

    def _follow(self) -> None:
        while not self._over.wait(0.05):
            with contextlib.suppress(psycopg.Error):  # it is away just now
                self._look()

    def _look(self) -> None:
        query = (
            "SELECT number, key, document FROM witnessed WHERE starts_with(key, %s) ORDER BY number"
        )
        with psycopg.connect(self._url, connect_timeout=5) as connection:
            rows = connection.execute(query, [self._prefix]).fetchall()
        for number, key, document in rows:
            if number not in self._seen:
                self._seen.add(number)
                self.changes.append(Change(self._clock(), key, document))

"""The systems of record that the streams recipe is judged on: a part, its address, and who watches it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import psycopg

from recipes.streams import open_sink
from tests.freeports import free_ports
from tests.histories.verdict.history import Document
from tests.histories.world.parts import Database, clock_in, environment_with
from tests.histories.world.postgreswitness import PostgresWitness
from tests.histories.world.witness import MongoWitness, Witness
from tests.recipes.servers import PostgresServer

_DATABASE, TABLE = "judged", "documents"
_OWN = ("_id", "_v", "_deleted", "_at")


class Store(Protocol):
    """One system of record."""

    @property
    def part(self) -> Any:
        """What faults strike."""

    @property
    def target(self) -> int | Path:
        """Where it listens."""

    def prepare(self) -> None:
        """Make what the recipe and the witness need, once it runs."""

    def url(self, port: int) -> str:
        """What the recipe takes to reach it through a line."""

    def empty(self) -> None:
        """Delete every document, tombstones included."""

    def witness(self, prefix: str) -> Witness:
        """See `Recipe`."""


class Mongo:
    """SecantusDB."""

    def __init__(self, folder: Path):
        self.part = Database(folder, free_ports(1)[0])

    @property
    def target(self) -> int:
        """Its port."""
        return self.part.port

    def prepare(self) -> None:
        """Nothing: the worker makes its index."""

    def url(self, port: int) -> str:
        """See `Store`."""
        return f"mongodb://127.0.0.1:{port}/{_DATABASE}?directConnection=true"

    def empty(self) -> None:
        """See `Store`."""
        with self.part.client() as client:
            client[_DATABASE][TABLE].delete_many({})

    def witness(self, prefix: str) -> MongoWitness:
        """See `Recipe`."""
        return MongoWitness(self.part.url, (_DATABASE, TABLE), meant, time.monotonic, prefix)


class PostgreSQL:
    """PostgreSQL 18 from its wheel."""

    def __init__(self, folder: Path):
        (folder / "postgresql").mkdir()
        self.part = _Postgres(folder / "postgresql")

    @property
    def target(self) -> Path:
        """Its socket."""
        return self.part.directory / ".s.PGSQL.5432"

    def prepare(self) -> None:
        """Make the table, and the trigger that writes down each of its changes."""
        sink = open_sink(self.part.url, {"": TABLE})
        sink.open()
        sink.close()
        PostgresWitness.prepare(self.part.url, TABLE)

    def url(self, port: int) -> str:
        """See `Store`."""
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def empty(self) -> None:
        """See `Store`."""
        with psycopg.connect(self.part.url) as connection:
            connection.execute(f"DELETE FROM {TABLE}")

    def witness(self, prefix: str) -> PostgresWitness:
        """See `Recipe`."""
        return PostgresWitness(self.part.url, TABLE, time.monotonic, prefix)


class _Postgres(PostgresServer):
    """As a part: its crash is SIGQUIT, since SIGKILL of the first process alone leaves the others."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.clock = clock_in(folder, "database")
        self._as["env"] = environment_with(self.clock)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """See `Part`."""
        super().stop(signal.SIGQUIT if how == signal.SIGKILL else signal.SIGINT)


def meant(stored: Mapping[str, Any]) -> tuple[str, Document | None]:
    """Return key and document of what the recipe stores; None for a tombstone."""
    document = {name: value for name, value in stored.items() if name not in _OWN}
    return stored["_id"], None if stored.get("_deleted") else document

"""The SQL databases that rgsync writes to in tests: one table of persons in each."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from tests.minigears.realredis import wait_for

COLUMNS = "person_id varchar(20) primary key, first varchar(20), last varchar(20), age integer"
Row = tuple[str, str, str, int]


class Database(Protocol):
    """One database with a table `persons`."""

    kind: str
    """What rgsync calls it."""
    requirements: tuple[str, ...]

    @property
    def where(self) -> str:
        """The words of rgsync's connection, as Python."""

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement; its rows, values that are no text as the database gives them."""


def persons(database: Database) -> list[Row]:
    """The table, by id."""
    return [
        (str(key), first, last, int(age))
        for key, first, last, age in database.run(
            "select person_id, first, last, age from persons order by person_id"
        )
    ]


class SQLite:
    """A file."""

    kind = "SQLite"
    requirements = ("rgsync==1.2.0",)

    def __init__(self, directory: Path):
        self._path = directory / "persons.db"

    @property
    def where(self) -> str:
        return repr(str(self._path).removeprefix("/"))  # rgsync puts four slashes before it

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            return connection.execute(sql).fetchall()


def postgres_programs() -> Path | None:
    """Where `initdb` and `postgres` are; Debian keeps them off the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    found = shutil.which("initdb")
    return places[-1] if places else Path(found).parent if found else None


class Postgres:
    """A PostgreSQL with a data folder and a port of its own, run by a user that is not root."""

    kind = "Postgres"
    requirements = ("rgsync==1.2.0", "psycopg2-binary==2.9.11")
    _USER, _PASSWORD = "app", "secret"

    def __init__(self, programs: Path, directory: Path, port: int):
        self._programs = programs
        self._directory = directory
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def where(self) -> str:
        return repr((self._USER, self._PASSWORD, f"127.0.0.1:{self._port}/postgres"))[1:-1]

    def start(self) -> None:
        """Make the data folder, start, and wait until it answers."""
        secret = self._directory / "password"
        secret.write_text(self._PASSWORD)
        self._give_away()
        data = str(self._directory / "data")
        self._as_nobody("initdb", "-D", data, "-U", self._USER, "--pwfile", str(secret),
                        "-A", "scram-sha-256", "--locale=C", "-E", "UTF8", "--no-sync")  # fmt: skip
        words = [self._programs / "postgres", "-D", data, "-p", str(self._port), "-h", "127.0.0.1"]
        with (self._directory / "log").open("w") as log:
            self._process = subprocess.Popen(
                [*words, "-c", "unix_socket_directories=", "-c", "fsync=off"],
                stdout=log,
                stderr=log,
                **self._identity(),
            )
        wait_for(self._answers, what="PostgreSQL")

    def stop(self) -> None:
        """At once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        done = self._psql(sql)
        assert not done.returncode, done.stderr
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()
        return self._psql("select 1").returncode == 0

    def _psql(self, sql: str) -> subprocess.CompletedProcess[str]:
        words = ["-h", "127.0.0.1", "-p", str(self._port), "-U", self._USER, "-d", "postgres"]
        return subprocess.run(
            [self._programs / "psql", "-XqAt", *words, "-c", sql],
            env=os.environ | {"PGPASSWORD": self._PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )

    def _as_nobody(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words],
            capture_output=True, text=True, check=False, **self._identity(),
        )  # fmt: skip
        assert not done.returncode, done.stderr

    def _identity(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        root = os.geteuid() == 0
        return {"cwd": self._directory} | ({"user": "nobody", "extra_groups": []} if root else {})

    def _give_away(self) -> None:
        """Let that user write into the folder, and pass through those above it."""
        if os.geteuid() == 0:
            for path in (self._directory, *self._directory.iterdir()):
                shutil.chown(path, "nobody")
            for parent in self._directory.parents:
                parent.chmod(parent.stat().st_mode | 0o011)

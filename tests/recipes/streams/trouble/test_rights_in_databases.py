"""Whom a database does not let in: said once, with how to mend it; nothing is lost, nothing given up."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg
from redis import Redis

from recipes.streams import (
    Change,
    Metrics,
    Sink,
    Unavailable,
    WriteBehind,
    open_sink,
)
from recipes.streams.core.errors import Denied
from recipes.streams.core.names import version_of
from recipes.streams.verbs.places import MEND, TRY_AGAIN
from tests.recipes.mongoproxy import Command, MongoProxy
from tests.recipes.servers import MongoServer, PlainRedis, PostgresServer, wait_for
from tests.recipes.streams.working import ROUTES, Counting, Start, events
from tests.recipes.streams.writing import drained, letters

VERSION = version_of("1-0")


def denied(action: Callable[[], object]) -> str:
    """What a database says that does not let us in; on a busy machine it first says nothing."""
    said: list[str] = []

    def tried() -> bool:
        with contextlib.suppress(Unavailable):
            try:
                action()
            except Denied as error:
                said.append(str(error))
        return bool(said)

    wait_for(tried, 60, "a denial")
    return said[0]


def test_the_command_ends_with_a_status_that_tells_who_has_to_act(
    redis_server: PlainRedis, postgres_server: PostgresServer, redis: Redis
) -> None:
    def status(database: str, verb: str) -> tuple[int, str]:
        words = [sys.executable, "-m", "recipes.streams", verb, "--redis", redis_server.url]
        words += ["--database", database, "--route", "Movie:=movies", "--partitions", "2"]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=120, env={**os.environ}
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    nobody = postgres_server.url.replace("postgres@", "nobody@")
    code, said = status(nobody, "worker")
    assert code == MEND
    assert "check the user and the password" in said
    code, said = status("postgresql://127.0.0.1:1/x", "reconcile")
    assert code == TRY_AGAIN, "and not 1, which says that the stores differ"


def test_rights_that_are_taken_from_a_worker_are_said_once_and_waited_for(
    wb: WriteBehind,
    postgres: Sink,
    postgres_server: PostgresServer,
    start_worker: Start,
) -> None:
    postgres.open()
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("DROP OWNED BY limited" if exists(admin) else "CREATE ROLE limited LOGIN")
        admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON movies, people TO limited")
        theirs = open_sink(postgres_server.url.replace("postgres@", "limited@"), ROUTES)
        sink, log = Counting(theirs), io.StringIO()
        worker = start_worker(sink, metrics=Metrics(log), attempts=1, longest_backoff=0.05)
        wb.set("Movie:1", {"n": 1})
        drained(wb)  # the right to make tables is not needed where they are
        admin.execute("REVOKE INSERT ON movies FROM limited")
        before = sink.writes
        wb.set("Movie:1", {"n": 2})
        wait_for(lambda: sink.writes > before + 4, 60, "several attempts")
        assert "give this user the rights" in worker.trouble()
        assert len(events(log, "permission denied")) == 1
        assert letters(wb) == []
        admin.execute("GRANT INSERT ON movies TO limited")
        drained(wb)
    stored = postgres.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 2}
    wait_for(lambda: not worker.trouble(), 60)
    worker.stop()
    theirs.close()


def exists(admin: psycopg.Connection[Any]) -> bool:
    return bool(admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'limited'").fetchone())


def test_mongodb_that_takes_rights_away_is_waited_for(
    wb: WriteBehind, mongo: Sink, mongo_server: MongoServer, start_worker: Start
) -> None:
    def no_rights(command: Command) -> Command | None:
        told = {"ok": 0.0, "code": 13, "errmsg": "not allowed"}
        return told if {"update", "createIndexes"} & command.keys() else None

    proxy = MongoProxy(("127.0.0.1", mongo_server.port))
    sink = open_sink(f"mongodb://127.0.0.1:{proxy.port}/test?directConnection=true", ROUTES)
    try:
        worker = start_worker(sink, attempts=1, longest_backoff=0.5)
        wb.set("Movie:1", {"n": 1})
        drained(wb)
        proxy.rule = no_rights
        assert "rights" in denied(sink.open)
        wb.set("Movie:1", {"n": 2})
        wait_for(lambda: "give this user the rights" in worker.trouble(), 60)
        assert letters(wb) == []
        proxy.rule = None
        drained(wb)
        stored = mongo.read("Movie:1")
        assert stored is not None
        assert stored.document == {"n": 2}
        worker.stop()
    finally:
        proxy.rule = None
        sink.close()
        proxy.close()


def test_a_database_that_speaks_no_tls_is_said(mongo_server: MongoServer) -> None:
    sink = open_sink(f"{mongo_server.url}/test?tls=true", ROUTES)
    assert "TLS" in denied(lambda: sink.write([Change("Movie:1", {}, VERSION)]))
    sink.close()

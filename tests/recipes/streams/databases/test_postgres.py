"""PostgreSQL as system of record: whose fault an error is, its tables, and tombstones."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from recipes.streams import (
    Misconfigured,
    Sink,
    Unavailable,
    WriteBehind,
    open_sink,
)
from recipes.streams.core.errors import Denied
from recipes.streams.core.names import version_of
from recipes.streams.databases.sink import Stored
from tests.recipes.servers import PostgresServer, wait_for
from tests.recipes.streams.databases.changes import change
from tests.recipes.streams.working import ROUTES, Start
from tests.recipes.streams.writing import drained, letters


@pytest.fixture
def sink(postgres: Sink) -> Sink:
    return postgres


def test_one_thread_looks_after_all_transactions_and_ends_with_the_sink(postgres: Sink) -> None:
    def watching() -> int:
        return sum(thread.name == "watch" for thread in threading.enumerate())

    before = watching() - 1  # that of this sink, which is open
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: postgres.write([change("Movie:1", n, {})]), range(1, 20)))
    assert watching() == before + 1
    postgres.close()
    wait_for(lambda: watching() == before, 60, "the end of the thread")


FREEZES = """
import os, signal, sys
from recipes.streams import Change, Unavailable, open_sink
from recipes.streams.databases import postgres

def freezes(self, error):
    postgres._Transaction._end = end
    os.kill(os.getpid(), signal.SIGSTOP)
    end(self, error)

postgres.ANSWERS_WITHIN = 1.0
sink = open_sink(sys.argv[1], {"Movie:": "movies"})
end, postgres._Transaction._end = postgres._Transaction._end, freezes
try:
    sink.write([Change("Movie:1", {"n": "frozen"}, sys.argv[2])])
except Unavailable as error:
    print("given up")
"""


def test_a_worker_that_is_frozen_before_its_commit_holds_up_no_successor(
    postgres: Sink, postgres_server: PostgresServer
) -> None:
    words = [sys.executable, "-c", FREEZES, postgres_server.url, version_of("1-0")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as frozen:
        state = Path(f"/proc/{frozen.pid}/stat")
        wait_for(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", 60, "SIGSTOP")
        try:
            assert postgres.write([change("Movie:1", 2, {"n": "newer"})]) == []
        finally:
            frozen.send_signal(signal.SIGCONT)
        said, _ = frozen.communicate(timeout=60)
    assert said == "given up\n"
    assert postgres.read("Movie:1") == Stored("Movie:1", {"n": "newer"}, version_of("2-0"))


def test_a_nul_is_the_documents_fault(postgres: Sink) -> None:
    changes = [change(f"Movie:{n}", 1, {"t": "\0" if n in (3, 7) else "x"}) for n in range(10)]
    assert {r.change.key for r in postgres.write(changes)} == {"Movie:3", "Movie:7"}
    assert len(list(postgres.scan())) == 8


def test_a_key_with_a_nul_is_that_keys_fault(postgres: Sink) -> None:
    changes = [change(f"Movie:{n}" + "\0" * (n == 1), 1, {}) for n in range(3)]
    assert [r.change.key for r in postgres.write(changes)] == ["Movie:1\0"]
    assert [s.key for s in postgres.scan()] == ["Movie:0", "Movie:2"]


def test_a_triggers_veto_is_the_documents_fault(
    postgres: Sink, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.key = 'Movie:1' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;"
            " END $$; CREATE TRIGGER veto BEFORE INSERT ON movies FOR EACH ROW EXECUTE FUNCTION veto()"
        )
    changes = [change(f"Movie:{n}", 1, {}) for n in range(3)]
    [rejected] = postgres.write(changes)
    assert "not this one" in rejected.error
    assert [s.key for s in postgres.scan()] == ["Movie:0", "Movie:2"]


def test_a_table_that_was_dropped_is_made_again(
    postgres: Sink,
    postgres_server: PostgresServer,
    wb: WriteBehind,
    start_worker: Start,
) -> None:
    start_worker(postgres, longest_backoff=0.5)
    wb.set("Movie:1", {"n": 1})
    drained(wb)
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("DROP TABLE movies")
    wb.set("Movie:2", {"n": 2})
    drained(wb)
    assert [s.key for s in postgres.scan()] == ["Movie:2"]
    assert letters(wb) == []


def test_two_workers_may_make_the_tables_at_once(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("DROP TABLE IF EXISTS movies, people")

    def open_one(_: int) -> None:
        sink = open_sink(postgres_server.url, ROUTES)
        try:
            sink.open()
        except Unavailable:  # another was quicker: a worker tries again
            sink.open()
        finally:
            sink.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_one, range(8)))


def test_a_table_without_its_unique_index_is_said(
    postgres: Sink, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("ALTER TABLE movies DROP CONSTRAINT movies_pkey")
    with pytest.raises(Misconfigured, match="ADD PRIMARY KEY"):
        postgres.open()
    with pytest.raises(Unavailable, match="ON CONFLICT"):  # and while it runs nothing is given up
        postgres.write([change("Movie:1", 1, {})])


def test_away_or_wrong_credentials_are_outages(postgres_server: PostgresServer) -> None:
    nobody = postgres_server.url.replace("postgres@", "nobody@")
    for url in ("postgresql://127.0.0.1:1/x", nobody):
        sink = open_sink(url, ROUTES)
        kind = Denied if url == nobody else Unavailable
        with pytest.raises(kind, match="PostgreSQL"):
            sink.write([change("Movie:1", 1, {})])


def test_a_crash_of_the_server_is_an_outage_and_then_over(
    postgres: Sink, postgres_server: PostgresServer
) -> None:
    postgres.write([change("Movie:1", 1, {})])
    postgres_server.stop()
    with pytest.raises(Unavailable):
        postgres.write([change("Movie:1", 2, {})])
    postgres_server.start()
    assert postgres.write([change("Movie:1", 2, {})]) == []


def test_old_tombstones_are_purged(postgres: Sink, postgres_server: PostgresServer) -> None:
    postgres.write([change("Movie:1", 1), change("Movie:2", 1)])
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute(
            "UPDATE movies SET deleted_at = now() - interval '25 hours' WHERE key = 'Movie:1'"
        )
    postgres.purge()
    assert [s.key for s in postgres.scan()] == ["Movie:2"]

"""Both systems of record: the fence, tombstones, and whose fault an error is."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from recipes.streams import (
    Change,
    Misconfigured,
    Sink,
    Stored,
    Unavailable,
    Worker,
    WriteBehind,
    open_sink,
)
from recipes.streams.core.errors import Denied
from recipes.streams.core.names import version_of
from tests.recipes.servers import MongoServer, PostgresServer, children, wait_for
from tests.recipes.streams.conftest import ROUTES, drained, letters


def change(key: str, n: int, document: dict[str, Any] | None = None) -> Change:
    return Change(key, document, version_of(f"{n}-0"))


@pytest.fixture(autouse=True)
def opened(sink: Sink) -> None:
    sink.open()


def test_everything_twice_and_shuffled_comes_to_the_same(sink: Sink) -> None:
    history = [
        change(f"Movie:{n % 7}", n, None if n % 5 == 0 else {"n": n, "text": "O'Brien \"ü\" \\"}) for n in range(100)
    ]  # fmt: skip
    last = {c.key: c for c in history}
    again = history * 2
    random.Random(11).shuffle(again)
    for one in again:
        assert sink.write([one]) == []
    stored = {s.key: s for s in sink.scan()}
    assert stored == {key: Stored(key, c.document, c.version) for key, c in last.items()}
    assert sink.greatest_version() == version_of("99-0")


def test_a_late_delete_and_a_late_write_are_no_ops(sink: Sink) -> None:
    sink.write([change("Movie:1", 5, {"n": 5})])
    sink.write([change("Movie:1", 4)])
    assert sink.read("Movie:1") == Stored("Movie:1", {"n": 5}, version_of("5-0"))
    sink.write([change("Movie:1", 6)])
    sink.write([change("Movie:1", 5, {"n": 5})])
    assert sink.read("Movie:1") == Stored("Movie:1", None, version_of("6-0"))


def test_the_bad_are_named_and_the_rest_is_committed(sink: Sink) -> None:
    bad = {
        "Movie:big": {"text": "x" * (17 << 20)},
        "Movie:integer": {"n": 2**64},
        "Movie:id": {"_id": 1},
        "Nobody:1": {"n": 1},
    }
    good = {f"Movie:{n}": {"n": n} for n in range(20)} | {"Person:1": {"name": "O'Brien"}}
    changes = [change(key, 1, document) for key, document in {**good, **bad}.items()]
    rejected = {r.change.key: r.error for r in sink.write(changes)}
    if "Movie:big" not in rejected:  # a JSONB value may have 256 MB
        assert type(sink).__name__ == "PostgresSink"
        rejected["Movie:big"] = ""
    assert rejected.keys() == bad.keys()
    assert "64 bits" in rejected["Movie:integer"]
    assert "no route" in rejected["Nobody:1"]
    assert {s.key for s in sink.scan()} >= good.keys()


def test_a_database_that_says_nothing_is_given_up(
    sink: Sink, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(sink).__module__.rpartition(".")[2]
    server = request.getfixturevalue(f"{kind}_server")
    monkeypatch.setattr(f"recipes.streams.databases.{kind}.ANSWERS_WITHIN", 1.0)
    sink = open_sink(f"{server.url}/test" if kind == "mongo" else server.url, ROUTES)
    sink.open()
    assert sink.write([change("Movie:1", 1, {"n": 1})]) == []
    found = [server.process.pid, *children(server.process.pid)]
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            sink.write([change("Movie:1", 2, {"n": 2})])
    finally:
        for pid in found:
            os.kill(pid, signal.SIGCONT)
    assert sink.write([change("Movie:1", 3, {"n": 3})]) == []
    assert sink.read("Movie:1") == Stored("Movie:1", {"n": 3}, version_of("3-0"))
    sink.close()


def test_scan_is_in_the_order_of_bytes_and_goes_on(sink: Sink) -> None:
    keys = [
        "Movie:a",
        "Movie:B",
        "Movie:é",
        "Movie:z",
        "Movie:10",
        "Movie:9",
        "Person:1",
        "Movie:￿",
        "Movie:😀",
    ]
    sink.write([change(key, 1, {}) for key in keys])
    ordered = sorted(keys, key=str.encode)
    assert [s.key for s in sink.scan()] == ordered
    assert [s.key for s in sink.scan(after=ordered[3])] == ordered[4:]


class TestMongo:
    @pytest.fixture
    def sink(self, mongo: Sink) -> Sink:
        return mongo

    def test_a_broken_unique_index_is_the_documents_fault(
        self, mongo: Sink, mongo_server: MongoServer
    ) -> None:
        with mongo_server.client() as client:
            client.test.movies.create_index("title", unique=True)
            mongo.write([change("Movie:1", 1, {"title": "Alien"})])
            [rejected] = mongo.write(
                [change("Movie:2", 2, {"title": "Alien"}), change("Movie:3", 3, {})]
            )
        assert rejected.change.key == "Movie:2"
        assert mongo.read("Movie:3") is not None

    def test_tombstones_expire(self, mongo: Sink, mongo_server: MongoServer) -> None:
        with mongo_server.client() as client:
            assert any(
                "expireAfterSeconds" in i for i in client.test.movies.index_information().values()
            )

    def test_away_or_wrong_credentials_are_outages(self, mongo_server: MongoServer) -> None:
        for url in (
            "mongodb://127.0.0.1:1/test",
            f"mongodb://a:b@127.0.0.1:{mongo_server.port}/test",
        ):
            sink = open_sink(url, ROUTES)
            kind = Denied if "a:b@" in url else Unavailable
            with pytest.raises(kind, match="MongoDB"):
                sink.write([change("Movie:1", 1, {})])
            sink.close()

    @pytest.mark.parametrize("url", ["mongodb://127.0.0.1", "mysql://x", "mongodb://a:b:c/x"])
    def test_urls_that_cannot_be(self, url: str) -> None:
        with pytest.raises(Misconfigured):
            open_sink(url, ROUTES)


class TestPostgres:
    @pytest.fixture
    def sink(self, postgres: Sink) -> Sink:
        return postgres

    def test_one_thread_looks_after_all_transactions_and_ends_with_the_sink(
        self, postgres: Sink
    ) -> None:
        def watching() -> int:
            return sum(thread.name == "watch" for thread in threading.enumerate())

        before = watching() - 1  # that of this sink, which is open
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: postgres.write([change("Movie:1", n, {})]), range(1, 20)))
        assert watching() == before + 1
        postgres.close()
        wait_for(lambda: watching() == before, 60, "the end of the thread")

    def test_a_nul_is_the_documents_fault(self, postgres: Sink) -> None:
        changes = [change(f"Movie:{n}", 1, {"t": "\0" if n in (3, 7) else "x"}) for n in range(10)]
        assert {r.change.key for r in postgres.write(changes)} == {"Movie:3", "Movie:7"}
        assert len(list(postgres.scan())) == 8

    def test_a_key_with_a_nul_is_that_keys_fault(self, postgres: Sink) -> None:
        changes = [change(f"Movie:{n}" + "\0" * (n == 1), 1, {}) for n in range(3)]
        assert [r.change.key for r in postgres.write(changes)] == ["Movie:1\0"]
        assert [s.key for s in postgres.scan()] == ["Movie:0", "Movie:2"]

    def test_a_triggers_veto_is_the_documents_fault(
        self, postgres: Sink, postgres_server: PostgresServer
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
        self,
        postgres: Sink,
        postgres_server: PostgresServer,
        wb: WriteBehind,
        start_worker: Callable[..., Worker],
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

    def test_two_workers_may_make_the_tables_at_once(self, postgres_server: PostgresServer) -> None:
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
        self, postgres: Sink, postgres_server: PostgresServer
    ) -> None:
        with psycopg.connect(postgres_server.url) as connection:
            connection.execute("ALTER TABLE movies DROP CONSTRAINT movies_pkey")
        with pytest.raises(Misconfigured, match="ADD PRIMARY KEY"):
            postgres.open()
        with pytest.raises(
            Unavailable, match="ON CONFLICT"
        ):  # and while it runs nothing is given up
            postgres.write([change("Movie:1", 1, {})])

    def test_away_or_wrong_credentials_are_outages(self, postgres_server: PostgresServer) -> None:
        nobody = postgres_server.url.replace("postgres@", "nobody@")
        for url in ("postgresql://127.0.0.1:1/x", nobody):
            sink = open_sink(url, ROUTES)
            kind = Denied if url == nobody else Unavailable
            with pytest.raises(kind, match="PostgreSQL"):
                sink.write([change("Movie:1", 1, {})])

    def test_a_crash_of_the_server_is_an_outage_and_then_over(
        self, postgres: Sink, postgres_server: PostgresServer
    ) -> None:
        postgres.write([change("Movie:1", 1, {})])
        postgres_server.stop()
        with pytest.raises(Unavailable):
            postgres.write([change("Movie:1", 2, {})])
        postgres_server.start()
        assert postgres.write([change("Movie:1", 2, {})]) == []

    def test_old_tombstones_are_purged(
        self, postgres: Sink, postgres_server: PostgresServer
    ) -> None:
        postgres.write([change("Movie:1", 1), change("Movie:2", 1)])
        with psycopg.connect(postgres_server.url) as connection:
            connection.execute(
                "UPDATE movies SET deleted_at = now() - interval '25 hours' WHERE key = 'Movie:1'"
            )
        postgres.purge()
        assert [s.key for s in postgres.scan()] == ["Movie:2"]

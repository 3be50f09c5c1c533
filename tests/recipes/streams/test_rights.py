"""Whom a server does not let in: said once, with how to mend it; nothing is lost, nothing given up."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import recipes.streams
from recipes.streams import (
    Change,
    Limits,
    Metrics,
    Misconfigured,
    Rejected,
    Sink,
    Unavailable,
    Worker,
    WriteBehind,
    open_sink,
)
from recipes.streams.client.client import ask_features
from recipes.streams.core.errors import Denied
from recipes.streams.core.names import version_of
from recipes.streams.verbs.places import MEND, TRY_AGAIN
from tests.recipes.mongoproxy import Command, MongoProxy
from tests.recipes.servers import MongoServer, PlainRedis, PostgresServer, wait_for
from tests.recipes.streams.conftest import QUICK, ROUTES, drained, letters

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


Rules = Callable[..., Redis]


@pytest.fixture
def user(redis: Redis, redis_server: PlainRedis) -> Iterator[Rules]:
    """A Redis user with these rights; returns a client that is this user."""

    def make(*commands: str, keys: Sequence[str] = ("*",), says: str = "secret") -> Redis:
        redis.acl_setuser(
            "app", reset=True, enabled=True, passwords=["+secret"], commands=commands, keys=keys
        )
        once = Retry(NoBackoff(), 0)
        return redis_server.client(username="app", password=says, retry=once)

    yield make
    redis.acl_deluser("app")


@pytest.mark.parametrize(
    ("rights", "rest", "said"),
    [
        (["+@all"], {"says": "wrong"}, "check the user and the password"),
        (["+@all", "-fcall"], {}, "fcall.*rights"),
        (["+@all", "-command"], {}, "command.*rights"),
        (["+@all", "-zrem"], {}, "zrem.*rights"),
        (["+@all"], {"keys": ["Movie:*"]}, "key.*rights"),
    ],
)
def test_a_client_is_told_at_once_and_nothing_is_written(
    wb: WriteBehind, user: Rules, redis: Redis, rights: list[str], rest: Any, said: str
) -> None:
    wb.prepare()
    theirs = WriteBehind(user(*rights, **rest), wb.partitions, Limits(wait=300))
    with pytest.raises(Misconfigured, match=said):
        theirs.delete("Movie:1") if "-zrem" in rights else theirs.set("Movie:1", {"n": 1})
    assert not redis.exists("Movie:1")
    assert not any(redis.xlen(p.stream) for p in wb.partitions.all())


def test_the_rights_that_the_readme_lists_are_enough(
    redis_server: PlainRedis, redis: Redis, mongo: Sink
) -> None:
    readme = (Path(recipes.streams.__file__).parent / "README.md").read_text(encoding="utf-8")
    [line] = [line for line in readme.splitlines() if line.startswith("ACL SETUSER movies ")]
    redis.execute_command(*line.split())
    theirs = redis_server.client(username="movies", password="PASSWORD")
    redis.function_flush()
    wb = WriteBehind(theirs, QUICK.partitions)
    worker = Worker(redis_server.client(username="movies", password="PASSWORD"), mongo, QUICK)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wb.set("Movie:1", {"n": 1})
        wb.update("Movie:1", lambda movie: {"n": movie["n"] + 1})
        wb.set("Movie:2", {})
        assert wb.expire("Movie:2", 0.01)
        wait_for(lambda: not redis.exists("Movie:2"), 60)
        drained(wb)
        assert not worker.trouble()
    finally:
        worker.stop()
        thread.join(60)
        redis.acl_deluser("movies")
    stored, gone = mongo.read("Movie:1"), mongo.read("Movie:2")
    assert stored is not None
    assert stored.document == {"n": 2}
    assert gone is not None
    assert gone.document is None


def test_a_worker_that_is_never_let_into_redis_ends(user: Rules, mongo: Sink) -> None:
    with pytest.raises(Misconfigured, match="check the user and the password"):
        Worker(user("+@all", says="wrong"), mongo, QUICK).run()


def without(redis: Redis, *commands: str) -> list[str]:
    """Every right but these, as far as the server has the commands."""
    return ["+@all", *(f"-{name.lower()}" for name in ask_features(redis, commands))]


SETTLES = [("XACK", "XACKDEL"), ("XDEL", "XACKDEL")]


@pytest.mark.parametrize("missing", [("XREADGROUP",), ("XADD",), *SETTLES], ids="-".join)
def test_a_worker_that_could_not_settle_does_not_begin(
    user: Rules, redis: Redis, mongo: Sink, missing: tuple[str, ...]
) -> None:
    with pytest.raises(Misconfigured, match=f"needs '{missing[0].lower()}'.*rights"):
        Worker(user(*without(redis, *missing)), mongo, QUICK).run()


@pytest.mark.parametrize("missing", SETTLES, ids="-".join)
def test_a_worker_that_may_not_settle_any_more_repeats_no_dead_letter(
    wb: WriteBehind, mongo: Sink, user: Rules, redis: Redis, missing: tuple[str, ...]
) -> None:
    sink, log = Counting(mongo), io.StringIO()
    settings = replace(QUICK, attempts=1, longest_backoff=0.05)
    worker = Worker(user("+@all"), sink, settings, Metrics(log))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wb.set("Movie:1", {"n": 1})
        drained(wb)
        user(*without(redis, *missing))
        before = sink.writes
        redis.xadd(wb.partitions.of("Movie:1").stream, {"key": "Nobody:1", "doc": "{}"})
        wait_for(lambda: sink.writes > before + 3, 60, "the same batch several times")
        assert f"needs '{missing[0].lower()}'" in worker.trouble()
        assert len(events(log, "rights")) == 1
        assert letters(wb) == []
        user("+@all")
        drained(wb)
    finally:
        worker.stop()
        thread.join(60)
    assert [letter[b"key"] for letter in letters(wb)] == [b"Nobody:1"]


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


class Counting:
    """A sink that counts how often it was asked to write."""

    def __init__(self, sink: Sink):
        self._sink, self.writes = sink, 0

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        self.writes += 1
        return self._sink.write(changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


def events(log: io.StringIO, word: str) -> list[dict[str, Any]]:
    return [e for e in map(json.loads, log.getvalue().splitlines()) if word in e.get("error", "")]


def test_rights_that_are_taken_from_a_worker_are_said_once_and_waited_for(
    wb: WriteBehind,
    postgres: Sink,
    postgres_server: PostgresServer,
    start_worker: Callable[..., Worker],
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


def turned_away(redis: Redis) -> int:
    """How often Redis, or the library in it, has refused something."""
    stats: Any = redis.info("commandstats")
    counts = [stats.get(f"cmdstat_{name}", {}) for name in ("fcall", "xreadgroup")]
    return sum(int(c.get(why, 0)) for c in counts for why in ("rejected_calls", "failed_calls"))


@pytest.mark.parametrize("right", ["xreadgroup", "xadd"])
def test_rights_in_redis_that_are_taken_from_a_worker(
    wb: WriteBehind, mongo: Sink, user: Rules, redis: Redis, right: str
) -> None:
    log = io.StringIO()
    worker = Worker(user("+@all"), mongo, replace(QUICK, longest_backoff=0.05), Metrics(log))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wb.set("Movie:1", {"n": 1})
        drained(wb)
        user("+@all", f"-{right}")
        wait_for(lambda: right in worker.trouble(), 60)
        before = turned_away(redis)
        wait_for(lambda: turned_away(redis) > before + 6, 60, "several attempts")
        assert len(events(log, right)) == 1
        wb.set("Movie:1", {"n": 2})
        user("+@all")
        drained(wb)
    finally:
        worker.stop()
        thread.join(60)
    assert letters(wb) == []
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 2}


def test_mongodb_that_takes_rights_away_is_waited_for(
    wb: WriteBehind, mongo: Sink, mongo_server: MongoServer, start_worker: Callable[..., Worker]
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

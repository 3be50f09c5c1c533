"""Whom Redis does not let in: said once, with how to mend it; nothing is lost, nothing given up."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import recipes.streams
from recipes.streams import (
    Limits,
    Metrics,
    Misconfigured,
    Sink,
    Worker,
    WriteBehind,
)
from recipes.streams.client.client import ask_features
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.working import QUICK, Counting, events, running
from tests.recipes.streams.writing import drained, letters

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
    try:
        with running(worker):
            wb.set("Movie:1", {"n": 1})
            wb.update("Movie:1", lambda movie: {"n": movie["n"] + 1})
            wb.set("Movie:2", {})
            assert wb.expire("Movie:2", 0.01)
            wait_for(lambda: not redis.exists("Movie:2"), 60)
            drained(wb)
            assert not worker.trouble()
    finally:
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
    with running(worker):
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
    assert [letter[b"key"] for letter in letters(wb)] == [b"Nobody:1"]


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
    with running(worker):
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
    assert letters(wb) == []
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 2}

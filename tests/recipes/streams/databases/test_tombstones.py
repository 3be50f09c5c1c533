"""How long a delete is remembered: by the database's clock, whatever the worker's says."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pymongo.collection import Collection

from recipes.streams import Sink, WriteBehind, open_sink
from recipes.streams.databases.sink import TOMBSTONE_SECONDS, Change
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer, PlainRedis, wait_for
from tests.recipes.streams.working import ROUTES
from tests.recipes.streams.writing import drained
from tests.wallclock import WallClock, needs_steppable_clocks

KEY, OLDER, NEWER = "Movie:$1", f"{1:020}-{0:020}", f"{2:020}-{0:020}"
DAY_AND_MORE = TOMBSTONE_SECONDS + 3600


class QuickToForget(MongoServer):
    """One that looks at its TTL indexes all the time, where MongoDB does each minute."""

    run = (
        "-c",
        "from functools import partial; from secantus import cli;"
        "cli.SecantusDBServer = partial(cli.SecantusDBServer, ttl_sweep_seconds=0.02); cli.main()",
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MongoServer]:
    server = QuickToForget(tmp_path, free_ports(1)[0])
    server.start()
    yield server
    server.stop(signal.SIGKILL)


def old_ones_are_gone(movies: Collection[Any]) -> None:
    """Wait until the TTL index has been looked at."""
    day = timedelta(seconds=DAY_AND_MORE)
    movies.insert_one({"_id": "old", "_at": datetime.now(timezone.utc) - day})
    wait_for(lambda: movies.find_one({"_id": "old"}) is None, 30, "old tombstones to go")


@pytest.mark.parametrize("ahead", [-DAY_AND_MORE, DAY_AND_MORE])
def test_a_worker_whose_clock_is_a_day_off_does_not_bring_back_what_was_deleted(
    wb: WriteBehind, redis_server: PlainRedis, server: MongoServer, tmp_path: Path, ahead: float
) -> None:
    needs_steppable_clocks()
    clock = WallClock(tmp_path, "worker")
    clock.step(ahead)
    url = f"{server.url}/test"
    words = ["worker", "--redis", redis_server.url, "--database", url, "--route", "Movie:=movies"]
    words += ["--partitions", "2", "--batch-wait", "0.02"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "recipes.streams", *words], env=clock.environment
    )
    try:
        wb.set(KEY, {"n": 1})
        drained(wb)
        wb.delete(KEY)
        drained(wb)
    finally:
        worker.terminate()
        assert worker.wait(60) == 0
    with server.client() as client:
        movies = client.test.movies
        old_ones_are_gone(movies)
        sink = open_sink(url, ROUTES)
        assert sink.write([Change(KEY, {"n": 1}, OLDER)]) == []  # a worker that was thought dead
        found = sink.read(KEY)
        assert found is not None
        assert found.document is None
        sink.close()
        movies.update_one(
            {"_id": KEY}, [{"$set": {"_at": {"$subtract": ["$_at", DAY_AND_MORE * 1000]}}}]
        )
        wait_for(lambda: movies.find_one({"_id": KEY}) is None, 30, "it to be forgotten in time")


def test_a_tombstone_has_nothing_of_the_document_and_takes_its_words_literally(
    mongo: Sink, mongo_server: MongoServer
) -> None:
    mongo.open()
    for key in (KEY, "Movie:$$NOW"):
        assert mongo.write([Change(key, {"title": "Gone"}, OLDER)]) == []
        assert mongo.write([Change(key, None, NEWER)]) == []
        assert mongo.write([Change(key, None, OLDER)]) == []
        with mongo_server.client() as client:
            stored = client.test.movies.find_one({"_id": key})
        assert stored is not None
        assert abs(stored.pop("_at") - datetime.now()) < timedelta(days=1)
        assert stored == {"_id": key, "_v": NEWER, "_deleted": True}

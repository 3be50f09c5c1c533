"""A full disk, of Redis and of the databases: an outage, nobody's poison, and nothing is lost.

No file of the server may grow beyond a limit: to a server that is a disk without room, and needs no
root. The limit is taken away as room is made.
"""

from __future__ import annotations

import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from recipes.streams import Limits, Sink, Unavailable, WriteBehind, open_sink
from recipes.streams.core.errors import TakesNoWrites
from tests.freeports import free_ports
from tests.recipes.servers import (
    MongoServer,
    PlainRedis,
    PostgresServer,
    heedless_of_limits,
    limit_files,
    wait_for,
)
from tests.recipes.streams.working import ROUTES, Start
from tests.recipes.streams.writing import drained, letters

pytestmark = pytest.mark.skipif(
    not shutil.which("prlimit"),
    reason="needs prlimit (Linux) to limit the files of a server that runs",
)


class TestRedis:
    @pytest.fixture(scope="class")
    def redis_server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRedis]:
        folder = tmp_path_factory.mktemp("full")
        server = PlainRedis(folder, "--appendonly", "yes", program=heedless_of_limits(folder))
        server.start()
        yield server
        server.stop(signal.SIGKILL)

    @pytest.fixture(params=["append-only file", "snapshot"])
    def fill(
        self, request: pytest.FixtureRequest, redis: Redis, redis_server: PlainRedis
    ) -> Callable[[str], None]:
        by_snapshot = request.param == "snapshot"
        redis.config_set("appendonly", "no" if by_snapshot else "yes")
        redis.config_set("save", "3600 1" if by_snapshot else "")

        def idle() -> bool:
            known = redis.info("persistence")
            return not (known["rdb_bgsave_in_progress"] or known["aof_rewrite_in_progress"])

        wait_for(idle, 60)

        def fill(size: str) -> None:
            assert redis_server.process is not None
            limit_files(redis_server.process.pid, size)
            if by_snapshot:  # a first failure has to come, and a first success after it
                redis.bgsave()
                state = "err" if size != "unlimited" else "ok"
                wait_for(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == state, 60)

        return fill

    def test_writers_wait_and_are_told_and_all_goes_on_when_room_is_back(
        self,
        fill: Callable[[str], None],
        wb: WriteBehind,
        mongo: Sink,
        start_worker: Start,
    ) -> None:
        worker = start_worker(mongo, attempts=1, longest_backoff=0.5)
        acknowledged = 0
        wb.limits = Limits(wait=0.2)

        def refused() -> bool:
            nonlocal acknowledged
            try:
                wb.set("Movie:1", {"n": acknowledged + 1})
            except TakesNoWrites as error:
                return "MISCONF" in str(error)
            acknowledged += 1
            return False

        assert not refused()
        fill("16")
        wait_for(refused, 60, "Redis to refuse writes")
        assert wb.get("Movie:1") == {"n": acknowledged}, "what was refused is not there"
        wait_for(lambda: "MISCONF" in worker.trouble(), 60, "the worker to say so")
        fill("unlimited")
        wb.limits = Limits(wait=60)
        wb.set("Movie:2", {"n": 2})
        drained(wb)
        wait_for(lambda: not worker.trouble(), 60)
        assert letters(wb) == []
        stored, other = mongo.read("Movie:1"), mongo.read("Movie:2")
        assert stored is not None
        assert stored.document == {"n": acknowledged}
        assert other is not None


def test_postgresql_takes_all_when_room_is_back(
    wb: WriteBehind, start_worker: Start, tmp_path: Path
) -> None:
    server = PostgresServer(tmp_path, "--wal-segsize=1")
    server.start()
    try:
        sink = open_sink(server.url, ROUTES)
        worker = start_worker(sink, attempts=1, longest_backoff=0.5)
        wb.set("Movie:0", {"n": 0})
        drained(wb)
        server.limit_files(str(3 << 19))
        documents = {f"Movie:{n}": {"text": secrets.token_hex(1 << 19)} for n in range(3)}
        for key, document in documents.items():
            wb.set(key, document)
        wait_for(lambda: "File too large" in worker.trouble(), 60, "the disk to be full")
        assert letters(wb) == []
        server.limit_files("unlimited")
        drained(wb)
        wait_for(lambda: not worker.trouble(), 60)
        assert letters(wb) == []
        stored = {one.key: one.document for one in sink.scan()}
        assert stored == documents
        sink.close()
    finally:
        server.stop(signal.SIGQUIT)


def test_mongodb_takes_all_when_it_was_started_again_with_room(
    wb: WriteBehind, start_worker: Start, tmp_path: Path
) -> None:
    """WiredTiger, which is MongoDB's storage, too, panics without room: the server has to be started."""
    server = MongoServer(tmp_path, free_ports(1)[0])
    server.start()
    try:
        assert server.process is not None
        sink = open_sink(f"{server.url}/test", ROUTES)
        worker = start_worker(sink, attempts=1, longest_backoff=0.5)
        wb.set("Movie:0", {"n": 0})
        drained(wb)
        limit_files(server.process.pid, "4096")
        documents = {f"Movie:{n}": {"text": secrets.token_hex(1 << 16)} for n in range(8)}
        for key, document in documents.items():
            wb.set(key, document)
        wait_for(lambda: "MongoDB" in worker.trouble(), 60, "the disk to be full")
        with pytest.raises(Unavailable):
            sink.read("Movie:0")
        server.stop(signal.SIGKILL)
        server.start()
        drained(wb)
        assert letters(wb) == []
        assert {one.key: one.document for one in sink.scan()} == documents
        sink.close()
    finally:
        server.stop(signal.SIGKILL)

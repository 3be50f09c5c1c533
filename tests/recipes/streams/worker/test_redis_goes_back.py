"""Redis is taken back, by a power cut, a backup or a late replica, and its clock is behind what it has lost."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from recipes.streams import Change, Partitions, Rejected, Sink, Worker, WriteBehind
from recipes.streams.core.names import version_of
from tests.histories.world.redisserver import RedisServer
from tests.recipes.servers import wait_for
from tests.recipes.streams.working import QUICK, Around, Start, running
from tests.recipes.streams.writing import drained
from tests.wallclock import needs_steppable_clocks

KEY = "Movie:1"
ONE = Partitions(1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    needs_steppable_clocks()
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop(signal.SIGKILL)


def _documents(sink: Sink) -> dict[str, object]:
    return {one.key: one.document for one in sink.scan()}


def test_what_is_written_after_a_backup_was_restored_arrives(
    server: RedisServer, sink: Sink, tmp_path: Path
) -> None:
    assert server.clock is not None
    wb = WriteBehind(server.client(), QUICK.partitions)
    server.clock.step(3600)
    with running(Worker(server.client(), sink, QUICK)):
        wb.set(KEY, {"n": "old"})
        drained(wb)
    server.stop(signal.SIGTERM)
    data, backup = tmp_path / "appendonlydir", tmp_path / "backup"
    shutil.copytree(data, backup)
    server.start()
    with running(Worker(server.client(), sink, QUICK)):
        wb.set(KEY, {"n": "lost"})
        drained(wb)
    server.stop(signal.SIGKILL)
    shutil.rmtree(data)
    backup.rename(data)
    server.clock.step(0)
    server.start()
    with running(Worker(server.client(), sink, QUICK)):
        for n in range(5):
            wb.set(KEY, {"n": n})
            drained(wb)
            assert _documents(sink) == {KEY: {"n": n}}


@pytest.mark.parametrize("document", [{"n": "lost"}, None], ids=["a write", "a delete"])
def test_what_is_written_after_a_late_replica_took_over_arrives_in_order(
    wb: WriteBehind, sink: Sink, start_worker: Start, document: dict[str, object] | None
) -> None:
    """The worker held the partition all along, and had given the database what the replica never got."""
    start_worker(sink)
    wb.set(KEY, {"n": "old"})
    drained(wb)
    hour = (int(wb.redis.time()[0]) + 3600) * 1000
    sink.write([Change(KEY, document, version_of(f"{hour}-3"))])
    for n in range(50):
        wb.set(f"Movie:{n}", {"n": n})
        wb.set(KEY, {"n": n})
    wb.delete("Movie:7")
    drained(wb)
    wanted = {f"Movie:{n}": {"n": n} for n in range(50)} | {KEY: {"n": 49}, "Movie:7": None}
    assert _documents(sink) == wanted


def test_a_version_that_no_stream_can_have_is_a_strangers(
    wb: WriteBehind, sink: Sink, start_worker: Start
) -> None:
    sink.open()
    sink.write([Change(KEY, {"n": "theirs"}, "z")])
    start_worker(sink)
    wb.set(KEY, {"n": 1})
    wb.set("Movie:2", {"n": 2})
    drained(wb)
    assert _documents(sink)["Movie:2"] == {"n": 2}


def test_what_was_lost_is_known_also_once_versions_have_passed_it(
    wb: WriteBehind, sink: Sink
) -> None:
    """Redis's clock was behind, and has caught up before a worker came to what was written meanwhile."""
    with running(Worker(wb.redis, sink, QUICK)):
        wb.set(KEY, {"n": "old"})
        drained(wb)
    stream = QUICK.partitions.of(KEY).stream
    wb.set(KEY, {"n": "new"})
    [[given, _]] = wb.redis.xrevrange(stream, count=1)
    milliseconds, _, number = given.decode().partition("-")
    wait_for(lambda: wb.redis.time()[0] * 1000 > int(milliseconds), what="the clock")
    wb.set(KEY.replace("1", "2"), {"n": "later"})
    sink.write([Change(KEY, {"n": "lost"}, version_of(f"{milliseconds}-{int(number) + 1}"))])
    with running(Worker(wb.redis, sink, QUICK)):
        drained(wb)
    assert _documents(sink)[KEY] == {"n": "new"}


def test_what_comes_again_under_new_versions_shows_nothing_older(redis: Redis, sink: Sink) -> None:
    """A worker had written the last of a key, and ended before it settled; a key before it finds its lost version."""
    sink.open()
    wb = WriteBehind(redis, ONE)
    wb.set("Movie:2", {"n": "new"})
    ids = [wb.set(KEY, {"n": n}) for n in range(3)]
    hour = (int(wb.redis.time()[0]) + 3600) * 1000
    sink.write([Change(KEY, {"n": 2}, version_of(ids[-1]))])
    sink.write([Change("Movie:2", {"n": "lost"}, version_of(f"{hour}-3"))])
    seen = Seen(sink)
    with running(Worker(wb.redis, seen, replace(QUICK, partitions=ONE, coalesce=False))):
        drained(wb)
    assert [shown[KEY] for shown in seen.shown] == [{"n": 2}] * len(seen.shown)
    assert _documents(sink) == {KEY: {"n": 2}, "Movie:2": {"n": "new"}}


class Seen(Around):
    """Looks at the database after each write."""

    def __init__(self, sink: Sink):
        super().__init__(sink)
        self.shown: list[dict[str, object]] = []

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        refused = self.sink.write(changes)
        self.shown.append(_documents(self.sink))
        return refused

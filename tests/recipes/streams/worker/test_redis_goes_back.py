"""Redis is taken back, by a power cut, a backup or a late replica, and its clock is behind what it has lost."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from recipes.streams import Change, Sink, Worker, WriteBehind
from recipes.streams.core.names import version_of
from tests.histories.world.redisserver import RedisServer
from tests.recipes.streams.working import QUICK, Start, running
from tests.recipes.streams.writing import drained
from tests.wallclock import needs_steppable_clocks

KEY = "Movie:1"


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

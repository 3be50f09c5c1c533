"""In a backlog the next batch is fetched while the database writes this one, and none of it is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from recipes.streams import Change, Rejected, Sink, WriteBehind
from recipes.streams.core.names import GROUP
from recipes.streams.worker.queue import Queue
from recipes.streams.worker.reader import Reader
from tests.recipes.servers import wait_for
from tests.recipes.streams.working import QUICK, Around, Start
from tests.recipes.streams.writing import drained

BATCH = 5
SETTINGS = replace(QUICK, batch_entries=BATCH)


@pytest.fixture
def queue(wb: WriteBehind) -> Queue:
    """A partition with three batches."""
    at = wb.partitions.of("Movie:1")
    queue = Queue(wb.redis, at, "1 somebody", "")
    wb.prepare()
    queue.make_group()
    for key in keys_of(wb, 3 * BATCH):
        wb.set(key, {})
    return queue


def keys_of(wb: WriteBehind, count: int) -> list[str]:
    """Keys of one partition."""
    of_all = (f"Movie:{n}" for n in range(1, 100 * count))
    found = [key for key in of_all if wb.partitions.of(key) == wb.partitions.of("Movie:1")]
    return found[:count]


@pytest.fixture
def reader(queue: Queue) -> Iterator[Reader]:
    reader = Reader(queue, SETTINGS, threading.Event())
    reader.fit(1)
    yield reader
    reader.close()


def test_many_changes_of_one_document_are_one_batch(queue: Queue, wb: WriteBehind) -> None:
    """One write, for which a slow database need not be asked a hundred times."""
    wb.redis.xtrim(queue.partition.stream, 0, approximate=False)
    wb.run([wb._set("Movie:1", {"n": n}, "") for n in range(20 * BATCH)])
    reader = Reader(queue, replace(SETTINGS, batch_wait=60.0), threading.Event())
    reader.fit(1)
    assert 10 * BATCH <= len(reader.new(0.01)) < 11 * BATCH
    reader.close()


def test_all_is_read_once_and_in_order(reader: Reader, queue: Queue) -> None:
    assert reader.pending(()) == ([], [])
    assert reader.at_new()
    ids = [entry.stream_id for _ in range(3) for entry in reader.new(0.01)]
    waiting = [stream_id.decode() for stream_id, _ in queue.redis.xrange(queue.partition.stream)]
    assert ids == waiting
    assert reader.new(0.01) == []


def test_what_was_fetched_is_pending_and_counts_as_in_hand(reader: Reader, queue: Queue) -> None:
    reader.pending(())
    reader.new(0.01)
    assert reader.in_hand() == BATCH
    assert queue.pending() == 2 * BATCH


def test_what_was_fetched_comes_again_after_trouble(reader: Reader) -> None:
    reader.pending(())
    first = reader.new(0.01)
    reader.again()
    assert reader.in_hand() == 0
    assert reader.pending(())[0] == first
    assert len(reader.pending(())[0]) == BATCH
    assert reader.pending(()) == ([], [])


def test_a_group_that_is_deleted_while_it_fetches_is_told_when_it_is_asked(
    reader: Reader, queue: Queue
) -> None:
    reader.pending(())
    reader.new(0.01)
    assert reader.in_hand() == BATCH
    queue.redis.xgroup_destroy(queue.partition.stream, GROUP)
    reader.new(0.01)  # what was fetched before; and fetches
    with pytest.raises(Exception, match="NOGROUP"):
        reader.in_hand()
    reader.again()


class Stumbling(Around):
    """A sink that a mistake of ours ends, in every other write."""

    writes = 0

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        self.writes += 1
        if self.writes % 2:
            raise RuntimeError("a mistake")
        return self.sink.write(changes)


def test_a_backlog_arrives_whole_although_batches_break_off(
    wb: WriteBehind, sink: Sink, start_worker: Start
) -> None:
    for n in range(20 * BATCH):
        wb.set(f"Movie:{n % 37}", {"n": n})
    stumbling = Stumbling(sink)
    start_worker(stumbling, batch_entries=BATCH)
    drained(wb)
    wait_for(
        lambda: not any(wb.redis.xpending(p.stream, GROUP)["pending"] for p in wb.partitions.all())
    )
    assert stumbling.writes > 20
    found = {n: sink.read(f"Movie:{n % 37}") for n in range(20 * BATCH - 37, 20 * BATCH)}
    assert {n: stored and stored.document for n, stored in found.items()} == {
        n: {"n": n} for n in found
    }

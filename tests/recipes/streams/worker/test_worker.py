"""Workers: leases, batches, poison and outages."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client import generate_latest
from redis import Redis

from recipes.streams import (
    Change,
    Limits,
    Misconfigured,
    Partitions,
    Rejected,
    Settings,
    Sink,
    Worker,
    WriteBehind,
)
from recipes.streams.client.parcels import Lane, Parcel
from recipes.streams.core.names import CONSUMER, GROUP
from tests.recipes.servers import MongoServer, wait_for
from tests.recipes.streams.working import QUICK, Held, Start
from tests.recipes.streams.writing import drained, letters, raw


@pytest.fixture
def held(mongo: Sink) -> Iterator[Held]:
    held = Held(mongo)
    yield held
    held.go.set()


def test_poison_is_given_up_and_nothing_else(
    wb: WriteBehind, sink: Sink, start_worker: Start
) -> None:
    wb.limits = Limits(bytes=100 << 20)
    raw(wb, "Movie:integer", '{"n": 18446744073709551615}')
    raw(wb, "Movie:array", "[1]")
    raw(wb, "Movie:id", '{"_id": 1}')
    raw(wb, "Stranger:1", "{}")
    wb.redis.xadd("wb:{p00}", {"what": "ever"})
    wb.redis.xadd("wb:{p01}", {b"key": b"\xff", b"doc": b"{}"})
    for n in range(20):
        wb.set(f"Movie:{n}", {"name": "O'Brien"})
    start_worker(sink)
    drained(wb)
    wait_for(lambda: len(letters(wb)) == 6, 60)
    by_key = {letter[b"key"]: letter for letter in letters(wb)}
    assert by_key[b"Movie:array"][b"doc"] == b"[1]"
    assert by_key[b"Movie:integer"][b"attempts"] == b"5"
    assert b"64 bits" in by_key[b"Movie:integer"][b"error"]
    assert all(sink.read(f"Movie:{n}") for n in range(20))
    wb.set("Movie:integer", {"n": 1})  # a later write of the key passes
    drained(wb)
    stored = sink.read("Movie:integer")
    assert stored is not None
    assert stored.document == {"n": 1}


def test_coalescing_acknowledges_what_was_superseded_after_the_commit(
    wb: WriteBehind, held: Held, start_worker: Start
) -> None:
    for n in range(300):
        wb.set(f"Movie:{n % 3}", {"n": n})
    start_worker(held)
    assert held.begun.wait(60)
    assert sum(wb.redis.xlen(p.stream) for p in wb.partitions.all()) == 300
    held.go.set()
    drained(wb)
    assert sum(len(batch) for batch in held.batches) <= 3 * len(held.batches)
    assert held.read("Movie:2").document == {"n": 299}
    assert all(int(wb.redis.hget(p.state, "bytes") or 0) == 0 for p in wb.partitions.all())


def test_an_outage_is_waited_out_and_gives_nothing_up(
    wb: WriteBehind, mongo: Sink, mongo_server: MongoServer, start_worker: Start
) -> None:
    worker = start_worker(mongo, attempts=1)
    wb.set("Movie:1", {"n": 1})
    drained(wb)
    mongo_server.stop(signal.SIGKILL)
    try:
        for n in range(50):
            wb.set(f"Movie:{n}", {"n": n})
        wait_for(worker.trouble, 60)
    finally:
        mongo_server.start()
    drained(wb)
    assert letters(wb) == []
    assert all(mongo.read(f"Movie:{n}") for n in range(50))
    wait_for(lambda: not worker.trouble(), 60)


def test_a_worker_starts_before_its_database(
    wb: WriteBehind, mongo: Sink, mongo_server: MongoServer, start_worker: Start
) -> None:
    mongo_server.stop(signal.SIGKILL)
    try:
        worker = start_worker(mongo)
        wait_for(lambda: "MongoDB" in worker.trouble(), 60)
    finally:
        mongo_server.start()
    wb.set("Movie:1", {"n": 1})
    drained(wb)


def test_a_worker_that_lost_its_lease_acknowledges_nothing_and_overwrites_nothing(
    wb: WriteBehind, held: Held, mongo: Sink, start_worker: Start
) -> None:
    wb.set("Movie:1", {"n": 1})
    at = wb.partitions.of("Movie:1")
    zombie = start_worker(held)
    assert held.begun.wait(60)
    zombie._renew = lambda *_: True  # type: ignore[method-assign]  # as a stopped process: it renews nothing
    wb.redis.delete(*[p.lease for p in wb.partitions.all()])
    start_worker(mongo)
    wait_for(lambda: mongo.read("Movie:1"), 60)
    wb.set("Movie:1", {"n": 2})
    drained(wb)
    held.go.set()
    wait_for(lambda: held.batches, 60)
    wb.set("Movie:1", {"n": 3})
    drained(wb)
    assert wb.redis.xlen(at.stream) == 0
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 3}


def test_a_successor_reads_first_what_was_pending(
    wb: WriteBehind, held: Held, mongo: Sink, start_worker: Start
) -> None:
    wb.set("Movie:1", {"n": 1})
    dead = start_worker(held)
    assert held.begun.wait(60)
    dead._renew = lambda *_: True  # type: ignore[method-assign]
    wb.redis.delete(*[p.lease for p in wb.partitions.all()])
    start_worker(mongo)
    drained(wb)  # the entry was delivered to the first one, who still has it
    assert mongo.read("Movie:1") is not None
    held.go.set()


def test_entries_whose_reading_got_no_reply_are_read_again(
    wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    """Redis dies between noting who reads an entry and telling it, or redis-py asks twice."""
    wb.set("Movie:0", {"n": 0})
    start_worker(mongo)
    drained(wb)
    for n in range(1, 9):
        call = wb.call("SET", f"Movie:{n}", '{"n": 1}')
        pipe = wb.redis.pipeline(transaction=True)  # the worker, which blocks, is told after both
        pipe.execute_command(*Parcel([call], Lane(f"lost-{n}"), 1).words(wb.limits))
        pipe.xreadgroup(GROUP, CONSUMER, {call.partition.stream: ">"})
        assert pipe.execute()[1]
    drained(wb)
    assert all(mongo.read(f"Movie:{n}") for n in range(1, 9))


def test_two_workers_share_the_partitions(
    wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    one = start_worker(mongo)
    wait_for(lambda: len(one._held) == 2, 60)
    two = start_worker(mongo)
    wait_for(lambda: len(one._held) == len(two._held) == 1, 60)
    given_up = ({"p00", "p01"} - {held.partition.tag for held in one._held.values()}).pop()
    page = generate_latest(one.metrics.registry).decode()
    assert f'writebehind_oldest_seconds{{partition="{given_up}"}}' not in page, "another's now"
    two.stop()
    wait_for(lambda: len(one._held) == 2, 60)
    wb.set("Movie:1", {})
    wb.set("Movie:2", {})
    drained(wb)


def test_documents_expire_in_both_stores(wb: WriteBehind, sink: Sink, start_worker: Start) -> None:
    for key in ("Movie:1", "Movie:2", "Movie:3"):
        wb.set(key, {})
    assert wb.expire("Movie:1", 0.01)
    assert wb.expire("Movie:2", 0.01)
    assert wb.persist("Movie:2")
    assert not wb.expire("Movie:none", 1)
    start_worker(sink)
    wait_for(lambda: wb.get("Movie:1") is None, 60)
    drained(wb)
    stored = sink.read("Movie:1")
    assert stored is not None
    assert stored.document is None
    assert wb.get("Movie:2") == {}


def test_a_worker_drains_a_redis_that_is_out_of_memory(
    wb: WriteBehind, mongo: Sink, start_worker: Start, redis: Redis
) -> None:
    for n in range(10):
        wb.set(f"Movie:{n}", {"n": n})
    redis.config_set("maxmemory", 1)
    try:
        start_worker(mongo)
        drained(wb)
    finally:
        redis.config_set("maxmemory", 0)
    assert mongo.read("Movie:9") is not None


def test_a_worker_with_other_partitions_does_not_begin(
    wb: WriteBehind, mongo: Sink, redis: Redis
) -> None:
    wb.prepare()
    with pytest.raises(Misconfigured, match=r"2 partitions .* 3"):
        Worker(redis, mongo, Settings(Partitions(3))).run()


def test_a_big_backlog_of_pending_entries_is_taken_over(
    wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    wb.prepare()
    wb.run([wb._set(f"Movie:{n}", {}, "") for n in range(1500)])
    for partition in wb.partitions.all():
        wb.redis.xgroup_create(partition.stream, GROUP, id="0")
        wb.redis.xreadgroup(GROUP, "writer", {partition.stream: ">"})
    start_worker(mongo, QUICK, batch_entries=100)
    drained(wb)
    assert sum(1 for _ in mongo.scan()) == 1500


def test_batches_are_bounded_by_bytes(wb: WriteBehind, held: Held, start_worker: Start) -> None:
    for n in range(40):
        wb.set(f"Movie:{n}", {"text": "x" * 100_000})
    held.go.set()
    start_worker(held, QUICK, batch_bytes=500_000)
    drained(wb)
    assert max(len(batch) for batch in held.batches) <= 10


def test_a_mistake_in_a_sink_loses_nothing(
    wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    class Wrong(Held):
        def write(self, changes: Sequence[Change]) -> list[Rejected]:
            if not self.batches:
                self.batches.append([])
                raise KeyError("a mistake")
            return self.sink.write(changes)

    wb.set("Movie:1", {})
    wrong = Wrong(mongo)
    start_worker(wrong)
    drained(wb)
    assert wrong.batches
    assert mongo.read("Movie:1") is not None
    assert letters(wb) == []

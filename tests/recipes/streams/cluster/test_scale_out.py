"""Several workers on a Redis Cluster: one is killed, a master is succeeded, slots move under load."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from lab.stack.ondemand.cluster import SLOTS, Cluster
from recipes.streams import Sink
from tests.recipes.servers import MongoServer, wait_for
from tests.recipes.streams.cluster.scaling import (
    PARTITIONS,
    Watch,
    Writers,
    judge,
    numbers,
    workers,
)

pytestmark = pytest.mark.long


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = lab.cluster(3)
    yield made
    made.stop()


@pytest.fixture
def replicated() -> Iterator[Cluster]:
    made = lab.cluster(3, replicas=True)
    yield made
    made.stop()


@pytest.fixture
def database(mongo_server: MongoServer) -> str:
    return f"{mongo_server.url}/test"


def test_slots_move_and_a_worker_is_killed_under_load(
    cluster: Cluster, mongo: Sink, database: str, tmp_path: Path
) -> None:
    redis = cluster.connect()
    first, _, third = cluster.masters
    with (
        workers(2, cluster, database, tmp_path / "log") as running,
        Watch(lambda: numbers(mongo)) as watch,
        Writers(cluster) as writers,
    ):
        wait_for(lambda: len(numbers(mongo)) > 100, 60, "both workers to write")
        slots = {redis.keyslot(p.stream) for p in PARTITIONS.all()}
        mine = [slot for slot in sorted(slots) if slot < SLOTS // 3]  # the first master's
        moved = sum(cluster.move_slot(slot, first, third) for slot in mine[:6])
        writers.more(100)
        running[0].send_signal(signal.SIGKILL)
        writers.more(100)
        writers.__exit__()
        judge(cluster, writers, watch, mongo)
    assert moved, "no key moved"


def test_a_master_is_killed_and_its_replica_promoted_under_load(
    replicated: Cluster, mongo: Sink, database: str, tmp_path: Path
) -> None:
    """The durability stated: a write counts once a replica has it."""
    with (
        workers(4, replicated, database, tmp_path / "log") as running,
        Watch(lambda: numbers(mongo)) as watch,
        Writers(replicated, replicas=1) as writers,
    ):
        wait_for(lambda: len(numbers(mongo)) > 100, 60, "the workers to write")
        replicated.kill_master(1)
        writers.more(100)
        replicated.masters[1].start()  # the old master comes back, as a replica
        writers.more(100)
        running[0].send_signal(signal.SIGKILL)
        writers.more(100)
        writers.__exit__()
        judge(replicated, writers, watch, mongo)

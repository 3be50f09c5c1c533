"""A Redis Cluster of three masters: keys that name their partition, the library on each master."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from redis.cluster import RedisCluster

import lab
from recipes.streams import Misconfigured, Partitions, Settings, Sink, Worker, WriteBehind
from tests.recipes.servers import wait_for

PARTITIONS = Partitions(8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    made = lab.cluster(3)
    yield made.connect()
    made.stop()


def test_writes_arrive_from_every_master(cluster: RedisCluster, mongo: Sink) -> None:
    wb = WriteBehind(cluster, PARTITIONS)
    keys = [PARTITIONS.key("Movie", str(n)) for n in range(40)]
    for n, key in enumerate(keys):
        wb.set(key, {"n": n})
    wb.delete(*keys[:10])
    wb.run([wb._set(key, {"n": "again"}, "") for key in keys[10:20]])
    worker = Worker(cluster, mongo, Settings(PARTITIONS, batch_wait=0.02))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_for(lambda: not any(cluster.xlen(p.stream) for p in PARTITIONS.all()), 60)
    finally:
        worker.stop()
        thread.join(60)
    stored = {one.key: one.document for one in mongo.scan()}
    assert stored == {
        key: None if n < 10 else {"n": "again"} if n < 20 else {"n": n}
        for n, key in enumerate(keys)
    }


def test_a_key_that_names_no_partition_is_said(cluster: RedisCluster) -> None:
    with pytest.raises(Misconfigured, match="name its partition"):
        WriteBehind(cluster, PARTITIONS).set("Movie:1", {})

"""A Redis Cluster of three masters: keys that name their partition, the library on each master."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from redis.cluster import RedisCluster
from redis.exceptions import RedisError

import lab
from recipes.streams import Limits, Misconfigured, Partitions, Settings, Sink, Worker, WriteBehind
from tests.recipes.servers import wait_for
from tests.recipes.streams.working import running

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
    with running(worker):
        wait_for(lambda: not any(cluster.xlen(p.stream) for p in PARTITIONS.all()), 60)
    stored = {one.key: one.document for one in mongo.scan()}
    assert stored == {
        key: None if n < 10 else {"n": "again"} if n < 20 else {"n": n}
        for n, key in enumerate(keys)
    }


def test_a_key_that_names_no_partition_is_said(cluster: RedisCluster) -> None:
    with pytest.raises(Misconfigured, match="name its partition"):
        WriteBehind(cluster, PARTITIONS).set("Movie:1", {})


def test_one_master_that_is_away_holds_up_its_own_partitions_only(mongo: Sink) -> None:
    """Also the one that redis-py's client asks whatever it does not know itself."""
    made = lab.cluster(3)
    redis = made.connect()
    wb = WriteBehind(redis, PARTITIONS, Limits(wait=0.2))
    worker = Worker(redis, mongo, Settings(PARTITIONS, batch_wait=0.02))
    keys = [PARTITIONS.key("Movie", str(n)) for n in range(24)]
    try:
        with running(worker):
            wb.run([wb._set(key, {"n": 1}, "") for key in keys])
            wait_for(lambda: len(list(mongo.scan())) == len(keys), 60, "all to arrive")
            asked = redis.get_default_node()
            [away] = [node for node in made.masters if asked.port == node.port]
            theirs = [key for key in keys if redis.get_node_from_key(key).port != away.port]
            away.end(signal.SIGKILL)
            for key in theirs:
                wb.set(key, {"n": 2})
                assert wb.get(key) == {"n": 2}
            assert not any(
                isinstance(o, Exception) for o in wb.run([wb.call("DEL", k) for k in theirs])
            )
            wait_for(lambda: not any(one.document for one in mongo.scan() if one.key in theirs), 60)
            with pytest.raises(RedisError):
                wb.set(next(key for key in keys if key not in theirs), {"n": 2})
    finally:
        made.stop()

"""A Redis Cluster of three masters: keys that name their partition, the library on each master."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.cluster import ClusterNode, RedisCluster

from recipes.streams import Misconfigured, Partitions, Settings, Sink, Worker, WriteBehind
from tests.freeports import free_ports
from tests.recipes.servers import PlainRedis, wait_for

PARTITIONS = Partitions(8)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    ports = free_ports(6)
    servers = []
    for n, (port, bus) in enumerate(zip(ports[:3], ports[3:], strict=True)):
        (tmp_path / str(n)).mkdir()
        options = ("--cluster-enabled", "yes", "--port", str(port), "--cluster-port", str(bus))
        servers.append(
            PlainRedis(tmp_path / str(n), *options, "--bind", "127.0.0.1", with_modules=())
        )
        servers[-1].start()
    clients = [server.client() for server in servers]
    for n, client in enumerate(clients):
        client.execute_command("CLUSTER ADDSLOTSRANGE", n * 5462, min(16383, n * 5462 + 5461))
        client.execute_command("CLUSTER MEET", "127.0.0.1", ports[0], ports[3])
    wait_for(lambda: all(c.cluster("info")["cluster_state"] == "ok" for c in clients), 60)
    wait_for(lambda: all(c.cluster("info")["cluster_known_nodes"] == "3" for c in clients), 60)
    yield RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", ports[0])])
    for server in servers:
        server.stop(signal.SIGKILL)


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

"""A master that sentinels watch: its URL, and a failover."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py

from recipes.streams import (
    Limits,
    Misconfigured,
    Partitions,
    WriteBehind,
    connect,
)
from tests.freeports import free_ports
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.writing import KEY, numbers

ONE = Partitions(1)


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[tuple[str, list[PlainRedis]]]:
    """A master, its replica, and a sentinel that watches them: its URL, and the two."""
    ports = free_ports(3)
    servers = []
    for name, port in zip(("master", "replica"), ports, strict=False):
        (tmp_path / name).mkdir()
        server = PlainRedis(tmp_path / name, "--port", str(port), "--repl-diskless-sync-delay", "0")
        servers.append(server)
        server.start()
    servers[1].client().replicaof("127.0.0.1", ports[0])
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {ports[2]}\nsentinel monitor movies 127.0.0.1 {ports[0]} 1\n"
        "sentinel down-after-milliseconds movies 300\nsentinel failover-timeout movies 2000\n"
    )
    (tmp_path / "sentinel").mkdir()
    watching = PlainRedis(tmp_path / "sentinel", with_modules=())
    process = subprocess.Popen(
        [watching.program, str(config), "--sentinel", "--logfile", str(tmp_path / "sentinel.log")]
    )
    found = redis_py.Sentinel([("127.0.0.1", ports[2])])
    wait_for(lambda: replicas(found) == 1, 60, "the sentinel to know the replica")
    yield f"redis+sentinel://127.0.0.1:{ports[2]}/movies", servers
    process.kill()
    process.wait()
    for server in servers:
        server.stop(signal.SIGKILL)


def replicas(sentinel: Any) -> int:
    try:
        return len(sentinel.discover_slaves("movies"))
    except redis_py.RedisError:
        return 0


def test_a_failover_of_sentinel_is_waited_out(
    sentinels: tuple[str, list[PlainRedis]],
) -> None:
    url, (master, replica) = sentinels
    client: Any = connect(url)
    wb = WriteBehind(client, ONE, Limits(wait=60))
    wb.set(KEY, {"n": 0})
    assert client.wait(1, 5000) == 1
    master.kill()
    for n in range(1, 4):
        wb.set(KEY, {"n": n})
    assert WriteBehind(replica.client(), ONE).get(KEY) == {"n": 3}
    assert numbers(WriteBehind(replica.client(), ONE)) == [0, 1, 2, 3]


def test_a_url_of_sentinels_names_them_the_master_and_who_asks() -> None:
    client: Any = connect("redis+sentinel://app:p%40ss@one,two:26380/movies")
    pool = client.connection_pool
    assert pool.service_name == "movies"
    assert {n: pool.connection_kwargs[n] for n in ("username", "password")} == {
        "username": "app",
        "password": "p@ss",
    }
    found = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(at["host"], at["port"]) for at in found] == [("one", 26379), ("two", 26380)]
    with pytest.raises(Misconfigured, match="which master"):
        connect("redis+sentinel://one:26379")

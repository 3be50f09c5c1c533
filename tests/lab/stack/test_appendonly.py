"""A crash in the middle of a transaction leaves none of it, and takes nothing that is written later."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from redis import Redis

from lab import paths
from lab.stack.appendonly import cut_off_half_a_transaction
from tests.minigears.realredis import redis_program
from tests.recipes.servers import PlainRedis

_WHERE = {
    "after MULTI": b"MULTI\r\n",
    "after one command": b"first\r\n$1\r\n1\r\n",
    "within the next command": b"second\r\n",
    "before EXEC": b"second\r\n$1\r\n1\r\n",
    "within EXEC": b"second\r\n$1\r\n1\r\n*1\r\n$4\r\nEX",
}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[PlainRedis]:
    server = PlainRedis(tmp_path, "--appendonly", "yes", "--save", "")
    server.start()
    yield server
    server.stop(signal.SIGKILL)


def _file(redis: PlainRedis) -> Path:
    [file] = (redis.directory / "appendonlydir").glob("*.incr.aof")
    return file


def _keys(redis: PlainRedis) -> set[bytes]:
    with redis.client() as client:
        return set(client.keys())


def _together(client: Redis, *keys: str) -> None:
    with client.pipeline(transaction=True) as pipe:
        for key in keys:
            pipe.set(key, 1)
        pipe.execute()


@pytest.fixture(params=list(_WHERE))
def torn(redis: PlainRedis, request: pytest.FixtureRequest) -> PlainRedis:
    """It has ended, and its file ends in the middle of a transaction."""
    with redis.client() as client:
        client.set("before", 1)
        _together(client, "first", "second")
    redis.stop(signal.SIGTERM)
    written, where = _file(redis).read_bytes(), _WHERE[request.param]
    _file(redis).write_bytes(written[: written.index(where) + len(where)])
    return redis


def _write_plainly(client: Redis) -> None:
    client.set("later", 1)


def _write_together(client: Redis) -> None:
    _together(client, "later", "with it")


@pytest.mark.parametrize("write", [_write_plainly, _write_together])
def test_what_is_written_after_a_crash_survives_the_next_start(
    torn: PlainRedis, write: Callable[[Redis], None]
) -> None:
    assert cut_off_half_a_transaction(torn.directory, redis_program()) > 0
    torn.start()
    assert _keys(torn) == {b"before"}
    with torn.client() as client:
        write(client)
    known = _keys(torn)
    torn.stop(signal.SIGTERM)
    assert cut_off_half_a_transaction(torn.directory, redis_program()) == 0
    torn.start()
    assert _keys(torn) == known


def test_the_cluster_of_docker_compose_mends_a_file_before_each_start(
    torn: PlainRedis, tmp_path: Path
) -> None:
    """Also at `docker restart`, which begins with the node's command again."""
    compose = yaml.safe_load((paths.root() / "docker-compose.cluster.yml").read_text("utf-8"))
    nodes = [node for node in compose["services"].values() if "redis-server" in node["command"]]
    assert len(nodes) == 6
    check = Path(shutil.copy(redis_program(), tmp_path / "redis-check-aof"))
    for node in nodes:
        assert node["command"].startswith('sh -c "eval $$MEND; exec redis-server ')
        words = os.environ | node["environment"] | {"PATH": f"{check.parent}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", "eval $MEND"], cwd=torn.directory, env=words, check=True)
    torn.start()
    assert _keys(torn) == {b"before"}
    with torn.client() as client:
        _write_together(client)
    torn.stop(signal.SIGTERM)
    torn.start()
    assert _keys(torn) == {b"before", b"later", b"with it"}


def test_what_was_appended_to_half_a_transaction_is_left(torn: PlainRedis) -> None:
    """Somebody started Redis since: cut off now, what was acknowledged meanwhile would go, too."""
    torn.start()
    with torn.client() as client:
        _write_together(client)
    torn.stop(signal.SIGTERM)
    written = _file(torn).read_bytes()
    assert cut_off_half_a_transaction(torn.directory, redis_program()) == 0
    assert _file(torn).read_bytes() == written


@pytest.mark.parametrize("tail", [b"*3\r\n$3\r\nSET\r\n$3\r\nne", b"no command\r\n"])
def test_any_other_end_is_left_to_redis(redis: PlainRedis, tail: bytes) -> None:
    with redis.client() as client:
        client.set("before", 1)
    redis.stop(signal.SIGTERM)
    written = _file(redis).read_bytes() + tail
    _file(redis).write_bytes(written)
    assert cut_off_half_a_transaction(redis.directory, redis_program()) == 0
    assert _file(redis).read_bytes() == written


def test_a_folder_without_a_file_is_left(tmp_path: Path) -> None:
    assert cut_off_half_a_transaction(tmp_path, redis_program()) == 0

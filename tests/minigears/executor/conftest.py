from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.realredis import RedisServer


@pytest.fixture
def door(redis_server: RedisServer, tmp_path: Path) -> Iterator[FakeDoor]:
    """A running executor, with nothing registered."""
    door = FakeDoor(redis_server.socket, tmp_path / "cache")
    door.start()
    yield door
    door.stop()


@pytest.fixture(scope="module")
def modules_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A redis-server that saves nothing."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "", "--appendonly", "no")
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def modules_door(
    modules_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FakeDoor]:
    door = FakeDoor(modules_redis.socket, tmp_path_factory.mktemp("executor") / "cache")
    door.start()
    yield door
    door.stop()


@pytest.fixture
def shared_door(modules_door: FakeDoor) -> FakeDoor:
    """An executor that other tests of the module use, too, with nothing registered and no key.

    To start one takes longer than most tests.
    """
    for registration in modules_door.ids:
        modules_door.call("RG.UNREGISTER", registration)
    modules_door.script("execute('FLUSHALL')")
    return modules_door

"""An executor for the tests of a module: to start one takes longer than many histories."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.realredis import RedisServer


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDoor]:
    """A running executor. Each test leaves it with nothing registered and no key."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "", "--appendonly", "no")
    server.start()
    door = FakeDoor(server.socket, tmp_path_factory.mktemp("executor") / "cache")
    door.start()
    yield door
    door.stop()
    server.stop(signal.SIGKILL)

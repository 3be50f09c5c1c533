"""A minigears for the tests of one module."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from realgears import MiniGears
from realredis import RedisServer


@pytest.fixture(scope="module")
def shared_gears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "", "--appendonly", "no")
    server.start()
    gears = MiniGears(server, tmp_path_factory.mktemp("gears"))
    gears.start()
    yield gears
    assert gears.stop() == 0
    server.stop(signal.SIGKILL)


@pytest.fixture
def gears(shared_gears: MiniGears) -> MiniGears:
    """An empty Redis, and no registrations."""
    with shared_gears.client() as client:
        for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
            client.execute_command("RG.UNREGISTER", registration[1])
        client.flushall()
    return shared_gears

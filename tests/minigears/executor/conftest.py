from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakedoor import FakeDoor
from realredis import RedisServer


@pytest.fixture
def door(redis_server: RedisServer, tmp_path: Path) -> Iterator[FakeDoor]:
    """A running executor, with nothing registered."""
    door = FakeDoor(redis_server.socket, tmp_path / "cache")
    door.start()
    yield door
    door.stop()

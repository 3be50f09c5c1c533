"""A minigears for each test that measures it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer


@pytest.fixture
def own(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    """A minigears of the test's own: what others left in its memory would blur the figures."""
    gears = MiniGears(redis_server, tmp_path_factory.mktemp("gears"))
    gears.start()
    yield gears
    assert gears.stop() == 0

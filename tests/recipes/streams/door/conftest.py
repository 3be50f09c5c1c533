"""A minigears that captures, and an application behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis as redis_py
from redis import Redis

from recipes.streams import WriteBehind
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.door.capturing import PARTITIONS

OPTIONS = ["--capture", "Movie:", "--capture-queue", "wb:2:10:20000"]


@pytest.fixture(scope="module")
def door(redis_server: PlainRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    gears = MiniGears(redis_server, tmp_path_factory.mktemp("door"), *OPTIONS)
    gears.start()
    yield gears
    assert gears.stop() == 0


@pytest.fixture
def client(redis: Redis, door: MiniGears) -> Iterator[Redis]:
    """An application's: it imports nothing of the recipe, whose worker has been there."""
    WriteBehind(redis, PARTITIONS).prepare()
    with redis_py.Redis(port=door.port) as client:
        yield client

"""An application in another language, as it is, before a door that captures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from redis import Redis

from recipes.streams import Sink, WriteBehind
from tests.minigears.clients.clientprograms import node_redis
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.door.capturing import PARTITIONS
from tests.recipes.streams.working import Start
from tests.recipes.streams.writing import drained, needs_json

SESSION = Path(__file__).parent / "noderedis_capture.mjs"


@pytest.mark.long
@needs_json
def test_what_node_has_written_is_in_the_database(
    redis: Redis, redis_server: PlainRedis, sink: Sink, start_worker: Start, tmp_path: Path
) -> None:
    gears = MiniGears(
        redis_server, tmp_path, "--capture", "Movie:", "--capture-queue", "wb:2:1000:9000000"
    )
    gears.start()
    try:
        start_worker(sink, partitions=PARTITIONS)
        wb = WriteBehind(redis, PARTITIONS)
        wb.prepare()
        believed = json.loads(node_redis(SESSION, gears.port))
        drained(wb)
        stored = {one.key: one.document for one in sink.scan() if one.document is not None}
        assert len(believed) == 2 * 101
        assert stored == believed
    finally:
        assert gears.stop() == 0

"""A door that is killed while clients write, and documents that fill a queue."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from redis import Redis

from recipes.streams import WriteBehind
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.door.capturing import PARTITIONS, waiting

WRITERS = 8
LARGE = 20 << 20  # bytes
ROOM = 100 << 20  # bytes of each partition


@pytest.fixture
def door(redis: Redis, redis_server: PlainRedis, tmp_path: Path) -> Iterator[MiniGears]:
    """One of the test's own, with a queue for large documents."""
    options = ["--capture", "Movie:", "--capture-queue", f"wb:2:100000:{ROOM}"]
    gears = MiniGears(redis_server, tmp_path, *options)
    gears.start()
    WriteBehind(redis, PARTITIONS).prepare()
    yield gears
    assert gears.stop() == 0


@pytest.mark.parametrize("round_", range(3))
def test_killed_in_the_middle_of_writes_each_document_is_as_its_last_entry(
    redis: Redis, door: MiniGears, round_: int
) -> None:
    """What was answered is there; of what was not, either both are or neither is."""
    answered = dict.fromkeys(range(WRITERS), -1)

    def write(writer: int) -> None:
        with redis_py.Redis(port=door.port, retry=None) as client:
            while True:
                number = answered[writer] + 1
                try:
                    client.set(f"Movie:{writer}", json.dumps({"n": number}))
                except redis_py.ConnectionError:
                    return
                answered[writer] = number

    writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    wait_for(lambda: min(answered.values()) > 20 + round_, what="writers to be on their way")
    door.kill()
    for writer in writers:
        writer.join()
    entries = waiting(redis)
    for writer, number in answered.items():
        document = redis.get(f"Movie:{writer}").decode()
        assert document == entries[f"Movie:{writer}"]
        assert json.loads(document)["n"] in (number, number + 1)
    door.start()


def test_large_documents_go_as_long_as_the_queue_has_room(redis: Redis, door: MiniGears) -> None:
    document = json.dumps({"text": "x" * LARGE})
    taken = ["Movie:0", "Movie:1", "Movie:2"]
    with redis_py.Redis(port=door.port) as client:
        for key in taken:
            client.set(key, document)
            assert client.get(key) == document.encode()
        with pytest.raises(redis_py.ResponseError, match="WBFULL"):
            client.mset({f"Movie:{n}": document for n in range(3, 12)})
        assert not client.exists("Movie:3", "Movie:11")
    assert waiting(redis) == dict.fromkeys(taken, document)

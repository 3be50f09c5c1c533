"""`RG.CAPTURE`: captures that a client registers, and that a restart keeps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from click.testing import CliRunner

from minigears.cli import main
from minigears.door.capture import kept
from minigears.door.capture.queue import Queue
from minigears.seal import Seal
from recipes.streams import Partitions, WriteBehind
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import PlainRedis, has_json, wait_for

PARTITIONS = Partitions(2)
pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRedis]:
    server = PlainRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def door(server: PlainRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    gears = MiniGears(server, tmp_path_factory.mktemp("door"), "--capture", "Given:")
    gears.start()
    yield gears
    assert gears.stop() == 0


@pytest.fixture
def redis(server: PlainRedis) -> redis_py.Redis:
    """Redis itself, with an empty queue that a worker has prepared."""
    redis = server.client()
    redis.flushall()
    WriteBehind(redis, PARTITIONS).prepare()
    return redis


@pytest.fixture
def client(redis: redis_py.Redis, door: MiniGears) -> Iterator[redis_py.Redis]:
    with redis_py.Redis(port=door.port) as client:
        yield client
        for fields in client.execute_command("RG.CAPTURE", "DUMP"):
            if fields[-1] == b"RG.CAPTURE":
                client.execute_command("RG.CAPTURE", "UNREGISTER", fields[1])


def queued(redis: redis_py.Redis, namespace: str = "wb") -> list[bytes]:
    streams = [p.stream for p in Partitions(2, namespace).all()]
    return sorted(fields[b"key"] for s in streams for _, fields in redis.xrange(s))


def registered(client: redis_py.Redis) -> list[bytes]:
    rows = client.execute_command("RG.CAPTURE", "DUMP")
    return [fields[1] for fields in rows if fields[-1] == b"RG.CAPTURE"]


def test_from_the_reply_on_everybodys_writes_are_captured(
    client: redis_py.Redis, redis: redis_py.Redis, door: MiniGears
) -> None:
    with redis_py.Redis(port=door.port, protocol=3) as other:
        other.execute_command("JSON.SET", "Movie:0", "$", "{}")
        assert client.execute_command("RG.CAPTURE", "register", "Movie:") == b"OK"
        other.execute_command("JSON.SET", "Movie:1", "$", '{"n":1}')
        assert other.execute_command("JSON.NUMINCRBY", "Movie:1", "$.n", 1) == [2]
        with pytest.raises(redis_py.ResponseError, match="WBCOMMAND"):
            other.hset("Movie:2", "a", 1)
        assert queued(redis) == [b"Movie:1", b"Movie:1"]
        assert client.execute_command("RG.CAPTURE", "UNREGISTER", "Movie:") == b"OK"
        other.hset("Movie:2", "a", 1)
    assert len(queued(redis)) == 2


def test_each_prefix_may_have_a_queue_of_its_own(
    client: redis_py.Redis, redis: redis_py.Redis
) -> None:
    WriteBehind(redis, Partitions(2, "books")).prepare()
    client.execute_command("RG.CAPTURE", "REGISTER", "Movie:")
    client.execute_command("RG.CAPTURE", "REGISTER", "Book:", "QUEUE", "books", "ENTRIES", 1)
    client.execute_command("JSON.SET", "Book:1", "$", "{}")
    client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    assert (queued(redis, "books"), queued(redis)) == ([b"Book:1"], [b"Movie:1"])
    with pytest.raises(redis_py.ResponseError, match="WBFULL 1 entries wait"):
        client.execute_command("JSON.SET", "Book:1", "$", "{}")
    with pytest.raises(redis_py.ResponseError, match="two queues"):
        client.delete("Movie:1", "Book:1")
    rows = client.execute_command("RG.CAPTURE", "DUMP")
    assert [dict(zip(row[::2], row[1::2], strict=True)) for row in rows] == [
        {
            b"prefix": prefix,
            b"queue": queue,
            b"partitions": partitions,
            b"entries": entries,
            b"bytes": 64 << 20,
            b"from": source,
        }
        for prefix, queue, partitions, entries, source in (
            (b"Given:", b"wb", 8, 100_000, b"--capture"),
            (b"Movie:", b"wb", 2, 100_000, b"RG.CAPTURE"),
            (b"Book:", b"books", 2, 1, b"RG.CAPTURE"),
        )
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "RG.CAPTURE is REGISTER prefix"),
        ("NONSENSE", "RG.CAPTURE is REGISTER prefix"),
        ("REGISTER", "RG.CAPTURE is REGISTER prefix"),
        ("REGISTER Movie: QUEUE", "RG.CAPTURE is REGISTER prefix"),
        ("REGISTER Movie: COLOUR blue", "unknown option 'COLOUR'"),
        ("REGISTER Movie: PARTITIONS two", "PARTITIONS needs a number, not 'two'"),
        ("REGISTER Movie: PARTITIONS 0", "1 to 10000 partitions"),
        ("REGISTER Movie: PARTITIONS 3", "the queue 'wb' has 2 partitions"),
        ("REGISTER Movie: QUEUE none", "no worker has prepared the queue 'none' yet"),
        ("REGISTER Movie: QUEUE {a}", "a queue's name is"),
        ("REGISTER wb:", "the queue's own keys"),
        ("REGISTER w", "the queue's own keys"),
        ("REGISTER Given:", "was given as --capture"),
        ("UNREGISTER Given:", "was given as --capture"),
        ("UNREGISTER Other:", "no capture is registered"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    client: redis_py.Redis, words: str, said: str
) -> None:
    with pytest.raises(redis_py.ResponseError, match=said):
        client.execute_command("RG.CAPTURE", *words.split())
    assert registered(client) == []


def test_inside_multi_it_is_refused_and_so_is_exec(client: redis_py.Redis) -> None:
    with client.client() as own:
        own.execute_command("MULTI")
        with pytest.raises(redis_py.ResponseError, match="cannot be inside MULTI"):
            own.execute_command("RG.CAPTURE", "REGISTER", "Movie:")
        with pytest.raises(redis_py.ResponseError, match=r"EXECABORT|discarded"):
            own.execute_command("EXEC")
    assert registered(client) == []


@pytest.mark.parametrize("rules", ["+@all -@scripting ~*", "+@all ~Movie:*", "+@read ~*"])
def test_only_whom_redis_lets_run_scripts_on_any_key_may(
    client: redis_py.Redis, redis: redis_py.Redis, door: MiniGears, rules: str
) -> None:
    client.execute_command("RG.CAPTURE", "REGISTER", "Movie:")
    redis.execute_command("ACL", "SETUSER", "app", "reset", "on", ">pw", *rules.split())
    try:
        with redis_py.Redis(port=door.port, username="app", password="pw") as app:
            for words in (["REGISTER", "Other:"], ["UNREGISTER", "Movie:"], ["DUMP"]):
                with pytest.raises(redis_py.ResponseError, match="permission"):
                    app.execute_command("RG.CAPTURE", *words)
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert registered(client) == [b"Movie:"]


def test_it_is_kept_over_a_restart_and_when_the_data_is_flushed(
    client: redis_py.Redis, redis: redis_py.Redis, door: MiniGears
) -> None:
    client.execute_command("RG.CAPTURE", "REGISTER", "Movie:")
    client.flushall()
    client.function_flush()  # of whoever did not mean this
    wait_for(lambda: bool(redis.function_list(library=kept.LIBRARY)), 60)
    redis.function_flush()  # past the door
    wait_for(lambda: bool(redis.function_list(library=kept.LIBRARY)), 60)
    client.close()
    assert door.stop() == 0
    door.start()
    client.connection_pool.connection_kwargs["port"] = door.port
    assert registered(client) == [b"Movie:"]
    with pytest.raises(redis_py.ResponseError, match=r"Function not found|WBCONFIG"):
        client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    assert not redis.exists("Movie:1")
    WriteBehind(redis, PARTITIONS).prepare()
    client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    assert queued(redis) == [b"Movie:1"]


def test_with_a_password_what_somebody_else_wrote_is_not_taken() -> None:
    queues = {b"Movie:\xff": Queue("wb", 2)}
    ours, nobody, other = Seal("secret"), Seal(None), Seal("other")
    assert kept.decode(kept.encode(queues, ours), ours) == queues
    assert kept.decode(kept.encode(queues, nobody), nobody) == queues
    for forger in (nobody, other):
        with pytest.raises(kept.KeptError, match="FUNCTION DELETE minigears_captures"):
            kept.decode(kept.encode(queues, forger), ours)
    assert kept.decode(kept.encode(queues, other), Seal("secret", "other")) == queues


@pytest.mark.parametrize("text", ["", "2 - W10=", "1 - x", "1 - WzFd", "1 - e30", "nonsense"])
def test_what_is_not_ours_is_named(text: str) -> None:
    with pytest.raises(kept.KeptError, match="minigears_captures"):
        kept.decode(text, Seal(None))


def test_minigears_does_not_start_over_what_it_cannot_read(
    redis: redis_py.Redis, server: PlainRedis, tmp_path: Path
) -> None:
    redis.function_load(kept.source({}, "nonsense"), replace=True)
    try:
        with pytest.raises(AssertionError, match="is not of this minigears"):
            MiniGears(server, tmp_path).start()
    finally:
        redis.function_delete(kept.LIBRARY)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--capture w", "the queue's own keys"),
        ("--capture wb:config", "the queue's own keys"),
        ("--capture Movie: --capture-queue wb:0:1:1", "1 to 10000 partitions"),
        ("--capture Movie: --capture-queue {a}:1:1:1", "without spaces and braces"),
        ("--capture Movie: --capture-queue wb", "NAMESPACE:PARTITIONS:ENTRIES:BYTES"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: str, said: str) -> None:
    done = CliRunner().invoke(main, words.split())
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())

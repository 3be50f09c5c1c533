"""Clients that know nothing of write-behind, behind a minigears that captures their writes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import hiredis
import pytest
import redis as redis_py
from redis import Redis

from minigears.door.capture.calls import OWN
from minigears.door.capture.queue import VERSION as DOOR_VERSION
from recipes.streams import Sink, WriteBehind
from recipes.streams.core.library import SOURCE, VERSION
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import MongoServer, PlainRedis, has_json, wait_for
from tests.recipes.streams.door.capturing import PARTITIONS, one_reply, waiting
from tests.recipes.streams.working import Start

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")


def test_door_and_library_are_of_one_version_and_know_the_same_functions() -> None:
    assert DOOR_VERSION == VERSION
    assert set(re.findall(r"register\('(\w+)'", SOURCE)) == {name.decode() for name in OWN}


def test_each_document_is_queued_as_it_then_is(client: Redis, redis: Redis) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":1}')
    client.execute_command("JSON.NUMINCRBY", "Movie:1", "$.n", 4)
    client.execute_command("JSON.SET", "Movie:2", "$", '{"n":2}')
    client.execute_command("JSON.SET", "Other:1", "$", '{"n":3}')
    client.delete("Movie:2", "Other:1")
    with client.pipeline(transaction=True) as pipe:
        pipe.execute_command("JSON.SET", "Movie:3", "$", '{"n":3}')
        pipe.execute_command("RENAME", "Movie:3", "Movie:4")
        pipe.execute()
    assert waiting(redis) == {
        "Movie:1": '{"n":5}',
        "Movie:2": "",
        "Movie:3": "",
        "Movie:4": '{"n":3}',
    }


def test_a_full_queue_refuses_before_anything_is_written(client: Redis, redis: Redis) -> None:
    for n in range(10):
        client.execute_command("JSON.SET", "Movie:1", "$", f'{{"n":{n}}}')
    with pytest.raises(redis_py.ResponseError, match="WBFULL 10 entries wait"):
        client.execute_command("JSON.SET", "Movie:1", "$", '{"n":10}')
    assert redis.execute_command("JSON.GET", "Movie:1") == b'{"n":9}'
    client.execute_command("JSON.SET", "Other:1", "$", "{}")  # what is not captured has room
    with pytest.raises(redis_py.ResponseError, match="WBFULL"):
        client.delete("Movie:1")
    assert redis.exists("Movie:1")


def test_what_is_too_large_for_the_queue_is_refused(client: Redis, redis: Redis) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    large = '{"text":"' + "x" * 30_000 + '"}'
    with pytest.raises(redis_py.ResponseError, match="WBFULL"):
        client.execute_command("JSON.SET", "Movie:1", "$", large)
    assert redis.execute_command("JSON.GET", "Movie:1") == b"{}"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("HSET", "Movie:1", "title", "M"), "WBCOMMAND HSET"),
        (("INCR", "Movie:1"), "WBCOMMAND INCR"),
        (("COPY", "Other:1", "Movie:1"), "WBCOMMAND COPY"),
        (("SET", "Movie:1", "no JSON"), "WBJSON"),
        (("RENAME", "Hash:1", "Movie:1"), "WRONGTYPE"),
        (("MSET", "Other:1", "no JSON", "Movie:1", "{}", "Movie:2", "no JSON"), "WBJSON"),
        (("APPEND", "Movie:1", "{}"), "WBCOMMAND APPEND"),
        (("BITOP", "NOT", "Movie:1", "Other:1"), "WBCOMMAND BITOP"),
        (("BLMOVE", "List:1", "Movie:1", "LEFT", "LEFT", "0"), "WBCOMMAND BLMOVE"),
        (("BLPOP", "List:1", "Movie:1", "0"), "WBCOMMAND BLPOP"),
        (("HPEXPIRE", "Movie:1", "1", "FIELDS", "1", "a"), "WBCOMMAND HPEXPIRE"),
        (("HSETEX", "Movie:1", "EX", "9", "FIELDS", "1", "a", "b"), "WBCOMMAND HSETEX"),
        (("LMOVE", "List:1", "Movie:1", "LEFT", "LEFT"), "WBCOMMAND LMOVE"),
        (("MOVE", "Movie:1", "1"), "WBCOMMAND MOVE"),
        (("RESTORE", "Movie:1", "0", "x"), "WBCOMMAND RESTORE"),
        (("SORT", "List:1", "STORE", "Movie:1"), "WBCOMMAND SORT"),
        (("SUNIONSTORE", "Movie:1", "Set:1"), "WBCOMMAND SUNIONSTORE"),
        (("XADD", "Movie:1", "*", "a", "b"), "WBCOMMAND XADD"),
        (("of-a-module", "Movie:1"), "WBCOMMAND OF-A-MODULE"),
        (("JSON.SET", "Movie:{p07}:1", "$", "{}"), "WBCONFIG"),
    ],
)
def test_what_cannot_be_captured_is_refused(
    client: Redis, redis: Redis, words: tuple[str, ...], code: str
) -> None:
    client.hset("Hash:1", "a", "b")
    with pytest.raises(redis_py.ResponseError, match=code):
        client.execute_command(*words)
    assert not redis.keys("Movie:*")
    assert not waiting(redis)


def test_another_database_has_no_queue_and_without_the_library_nothing_is_written(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    with redis_py.Redis(port=door.port, db=3) as other:
        with pytest.raises(redis_py.ResponseError, match="WBCONFIG"):
            other.execute_command("JSON.SET", "Movie:1", "$", "{}")
        assert not other.exists("Movie:1")
    redis.function_flush()
    with pytest.raises(redis_py.ResponseError, match="Function not found"):
        client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    assert not redis.exists("Movie:1")


def test_a_client_that_leaves_at_once_is_captured_or_not_written(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    client.ping()
    with door.raw() as sock:
        sock.sendall(hiredis.pack_command((b"JSON.SET", b"Movie:1", b"$", b'{"n":1}')))
        sock.sendall(hiredis.pack_command((b"JSON.SET", b"Movie:2", b"$", b'{"n":1}'))[:-4])
    wait_for(lambda: bool(redis.exists("Movie:1")), 60)
    assert waiting(redis) == {"Movie:1": '{"n":1}'}
    assert not redis.exists("Movie:2")


def test_the_worker_takes_an_applications_writes_to_mongodb(
    redis: Redis, door: MiniGears, redis_server: PlainRedis, mongo_server: MongoServer, mongo: Sink
) -> None:
    where = [f"WRITEBEHIND_REDIS={redis_server.url}", "WRITEBEHIND_PARTITIONS=2"]
    where += [f"WRITEBEHIND_DATABASE={mongo_server.url}/test", "WRITEBEHIND_ROUTE=Movie:=movies"]
    config = door.directory / "config"
    config.write_text("\n".join(where))
    words = [sys.executable, "-m", "recipes.streams", "--config", str(config), "worker"]
    worker = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert worker.stderr is not None
        assert '"started"' in worker.stderr.readline()
        wait_for(lambda: bool(redis.hget(PARTITIONS.config, "partitions")), 60)
        with redis_py.Redis(port=door.port) as client:
            client.execute_command("JSON.SET", "Movie:1", "$", '{"title":"M","votes":1}')
            client.execute_command("JSON.NUMINCRBY", "Movie:1", "$.votes", 41)
            client.execute_command("JSON.SET", "Movie:2", "$", '{"title":"N"}')
            client.delete("Movie:2")
            wait_for(lambda: not waiting(redis), 60)
            assert door.stop() == 0
            door.start()  # it keeps nothing that a restart could lose
            client.execute_command("JSON.SET", "Movie:3", "$", '{"title":"O"}')
        wait_for(lambda: not waiting(redis), 60)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    with mongo_server.client() as database:
        found = {d["_id"]: d for d in database.test.movies.find()}
    live = {k: d for k, d in found.items() if "title" in d}
    assert sorted(live) == ["1", "3"] or sorted(live) == ["Movie:1", "Movie:3"], found
    assert next(d for d in live.values() if d["title"] == "M")["votes"] == 42


@pytest.mark.parametrize(
    "clearing", [("FLUSHALL",), ("FLUSHDB",), ("FUNCTION", "FLUSH"), ("DEL", "wb:config")]
)
def test_a_living_worker_brings_back_what_was_cleared_and_until_then_writes_are_refused(
    client: Redis,
    redis: Redis,
    mongo: Sink,
    start_worker: Start,
    clearing: tuple[str],
) -> None:
    start_worker(mongo)
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":1}')
    wait_for(lambda: not waiting(redis), 60)
    redis.execute_command(*clearing)
    acknowledged = 0

    def written() -> bool:
        nonlocal acknowledged
        try:
            client.execute_command("JSON.SET", "Movie:1", "$", f'{{"n":{acknowledged + 2}}}')
        except redis_py.ResponseError as error:
            assert "WBCONFIG" in str(error) or "Function not found" in str(error), error  # noqa: PT017
            return False
        acknowledged += 1
        return acknowledged == 3

    wait_for(written, 60)
    wait_for(lambda: not waiting(redis), 60)
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 4}


def test_several_documents_of_one_command_are_queued_each_in_its_partition(
    client: Redis, redis: Redis
) -> None:
    keys = [f"Movie:{n}" for n in range(6)]
    client.mset({**dict.fromkeys(keys, "{}"), "Other:1": "no JSON"})
    assert waiting(redis) == dict.fromkeys(keys, "{}")
    assert all(redis.xlen(p.stream) for p in PARTITIONS.all())
    assert client.unlink(*keys[:3], "Other:1") == 4
    assert waiting(redis) == {**dict.fromkeys(keys[:3], ""), **dict.fromkeys(keys[3:], "{}")}


def test_what_only_sets_a_time_queues_nothing_unless_the_document_goes(
    client: Redis, redis: Redis
) -> None:
    client.set("Movie:1", "{}", ex=1000)
    client.persist("Movie:1")
    client.expire("Movie:1", 1000)
    client.getex("Movie:1", px=1_000_000)
    assert sum(redis.xlen(p.stream) for p in PARTITIONS.all()) == 1
    client.pexpireat("Movie:1", 1)
    assert waiting(redis) == {"Movie:1": ""}


def test_a_transaction_whose_watched_document_was_captured_meanwhile_does_nothing(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    client.set("Movie:1", '{"n":1}')
    with client.pipeline() as pipe, redis_py.Redis(port=door.port) as other:
        pipe.watch("Movie:1")
        pipe.multi()
        pipe.set("Movie:1", '{"n":3}')
        other.set("Movie:1", '{"n":2}')
        with pytest.raises(redis_py.WatchError):
            pipe.execute()
    assert waiting(redis) == {"Movie:1": '{"n":2}'}


def test_who_wants_no_replies_is_captured(client: Redis, redis: Redis, door: MiniGears) -> None:
    client.ping()
    lines = b"CLIENT REPLY OFF|SET Movie:1 {}|CLIENT REPLY ON|CLIENT REPLY SKIP|SET Movie:2 {}|PING"
    with door.raw() as sock:
        sock.sendall(b"".join(hiredis.pack_command(tuple(x.split())) for x in lines.split(b"|")))
        stream = sock.makefile("rb")
        assert [one_reply(stream), one_reply(stream)] == [b"+OK\r\n", b"+PONG\r\n"]
    assert waiting(redis) == {"Movie:1": "{}", "Movie:2": "{}"}


@pytest.mark.parametrize("theirs", ["2, 1", "99, 98"])
def test_beside_another_version_of_the_library_nothing_is_written(
    client: Redis, redis: Redis, theirs: str
) -> None:
    other = SOURCE.replace(f"VERSION, OLDEST = {VERSION}, ", f"VERSION, OLDEST = {theirs} -- ")
    redis.function_load(other, replace=True)
    with pytest.raises(redis_py.ResponseError, match="WBVERSION this library has version"):
        client.set("Movie:1", "{}")
    assert not redis.exists("Movie:1")
    WriteBehind(redis, PARTITIONS).prepare()
    if theirs == "2, 1":  # an older one is replaced
        client.set("Movie:1", "{}")
        assert waiting(redis) == {"Movie:1": "{}"}


def test_a_redis_that_is_full_refuses_the_whole_write(client: Redis, redis: Redis) -> None:
    client.set("Movie:1", '{"n":1}')
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis_py.ResponseError, match=r"OOM|used memory"):
            client.set("Movie:1", '{"n":2}')
        with pytest.raises(redis_py.ResponseError, match=r"OOM|used memory"):
            client.delete("Movie:1")
    finally:
        redis.config_set("maxmemory", 0)
    assert redis.get("Movie:1") == b'{"n":1}'
    assert waiting(redis) == {"Movie:1": '{"n":1}'}

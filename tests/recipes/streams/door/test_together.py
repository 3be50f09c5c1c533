"""Captured writes that several clients send at the same time go to Redis in one call; each is answered for itself."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hiredis
import pytest
from redis import Redis

from recipes.streams import WriteBehind
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import PlainRedis, has_json
from tests.recipes.streams.door.capturing import PARTITIONS, one_reply, waiting

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
CLIENTS = 24
COMMANDS = [
    'JSON.SET {} $ {"n":1,"a":[1]}',
    "JSON.SET {} $.n 2",
    "JSON.SET {} $.no.such 7",
    "JSON.SET {} $ {",
    "JSON.DEL {} $.none",
    "JSON.DEL {} $.n",
    "EXPIRE {} 1000",
    "PERSIST {}",
    "SET {} [1]",
    "JSON.SET {} $ {}",
    "JSON.DEL {}",
    "SET {} [1] NX",
    "SET {} [2] NX",
    "SETNX {} [3]",
    "GETSET {} [4]",
    "SET {} [5] GET",
    "GET {}",
    "GETEX {} EX 100",
    "GETDEL {}",
    "GETDEL {}",
    "DEL {}",
    "JSON.GET {}",
]


@pytest.fixture(scope="module")
def roomy(
    redis_server: PlainRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MiniGears]:
    """A minigears whose queue takes whatever comes here."""
    options = ["--capture", "Movie:", "--capture-queue", "wb:2:10000:2000000"]
    gears = MiniGears(redis_server, tmp_path_factory.mktemp("roomy"), *options)
    gears.start()
    yield gears
    assert gears.stop() == 0


class Crowd:
    """Clients enough to share connections."""

    def __init__(self, gears: MiniGears, stack: ExitStack, protocol: int = 2):
        assert gears.process is not None
        self._door = gears.process.pid
        address = ("127.0.0.1", gears.port)
        socks = [stack.enter_context(socket.create_connection(address, 60)) for _ in range(CLIENTS)]
        self._socks = [(sock, stack.enter_context(sock.makefile("rb"))) for sock in socks]
        for replies in (
            self.at_once(f"HELLO {protocol}"),
            self.at_once("PING"),
            self.at_once("PING"),
        ):
            assert len(replies) == CLIENTS

    def at_once(self, command: str) -> list[bytes]:
        """What each hears, when all say it before the door listens; `{}` stands for a key of its own."""
        os.kill(self._door, signal.SIGSTOP)
        try:
            for number, (sock, _) in enumerate(self._socks):
                sock.sendall(packed(command, number))
        finally:
            os.kill(self._door, signal.SIGCONT)
        return [one_reply(stream) for _, stream in self._socks]


def packed(command: str, number: int) -> bytes:
    words = command.replace("{}", f"Movie:{number}", 1).split()
    return bytes(hiredis.pack_command(tuple(word.encode() for word in words)))


def calls(redis: Redis) -> int:
    return int(redis.info("commandstats").get("cmdstat_fcall", {"calls": 0})["calls"])


@pytest.mark.parametrize("protocol", [2, 3])
def test_each_hears_what_redis_itself_would_say(
    redis: Redis, roomy: MiniGears, tmp_path: Path, protocol: int
) -> None:
    WriteBehind(redis, PARTITIONS).prepare()
    plain = PlainRedis(tmp_path)
    plain.start()
    try:
        with ExitStack() as stack:
            direct = stack.enter_context(socket.socket(socket.AF_UNIX))
            direct.connect(str(plain.socket))
            stream = stack.enter_context(direct.makefile("rb"))
            direct.sendall(packed(f"HELLO {protocol}", 0))
            one_reply(stream)
            crowd = Crowd(roomy, stack, protocol)
            for command in COMMANDS:
                direct.sendall(packed(command, 0))
                expected = one_reply(stream)
                before = calls(redis)
                assert crowd.at_once(command) == [expected] * CLIENTS, command
                if command.startswith("JSON.SET"):
                    assert 1 <= calls(redis) - before < CLIENTS / 2, "they went one by one"
    finally:
        plain.stop(signal.SIGKILL)


def test_each_document_has_its_entry_and_the_queue_knows_how_much_waits(
    redis: Redis, roomy: MiniGears
) -> None:
    WriteBehind(redis, PARTITIONS).prepare()
    with ExitStack() as stack:
        crowd = Crowd(roomy, stack)
        crowd.at_once('JSON.SET {} $ {"n":1}')
        crowd.at_once("JSON.SET {} $.n 2")
        crowd.at_once("DEL {}")
        crowd.at_once('SET {} {"n":3}')
    assert waiting(redis) == {f"Movie:{n}": '{"n":3}' for n in range(CLIENTS)}
    for partition in PARTITIONS.all():
        entries = redis.xrange(partition.stream)
        length = sum(len(fields[b"key"]) + len(fields[b"doc"]) for _, fields in entries)
        assert redis.hmget(partition.state, "bytes", "last") == [b"%d" % length, entries[-1][0]]


def test_what_a_full_queue_has_no_room_for_is_refused_alone(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    with ExitStack() as stack:
        replies = Crowd(door, stack).at_once('JSON.SET {} $ {"n":1}')
    assert {reply[:7] for reply in replies} == {b"+OK\r\n", b"-WBFULL"}
    taken = {f"Movie:{n}" for n, reply in enumerate(replies) if reply == b"+OK\r\n"}
    assert set(waiting(redis)) == taken
    assert {key.decode() for key in redis.scan_iter("Movie:*")} == taken
    assert [redis.xlen(p.stream) for p in PARTITIONS.all()] == [10, 10]


def test_a_partition_that_is_no_stream_refuses_its_own_writes_alone(
    redis: Redis, roomy: MiniGears
) -> None:
    WriteBehind(redis, PARTITIONS).prepare()
    broken, other = PARTITIONS.all()
    redis.delete(broken.stream, broken.state)
    redis.set(broken.state, "x")
    with ExitStack() as stack:
        replies = Crowd(roomy, stack).at_once('JSON.SET {} $ {"n":1}')
    taken = {f"Movie:{n}" for n, reply in enumerate(replies) if reply == b"+OK\r\n"}
    assert {reply[:10] for reply in replies} == {b"+OK\r\n", b"-WRONGTYPE"}
    assert {fields[b"key"].decode() for _, fields in redis.xrange(other.stream)} == taken
    assert {key.decode() for key in redis.scan_iter("Movie:*")} == taken
    redis.delete(broken.state)


@pytest.mark.parametrize("lost", [("FUNCTION", "FLUSH"), ("DEL", "wb:config")])
def test_what_refuses_the_call_is_told_to_each_of_them(
    redis: Redis, roomy: MiniGears, lost: tuple[str, ...]
) -> None:
    WriteBehind(redis, PARTITIONS).prepare()
    redis.execute_command(*lost)
    with ExitStack() as stack:
        crowd = Crowd(roomy, stack)
        assert {reply[:1] for reply in crowd.at_once('JSON.SET {} $ {"n":1}')} == {b"-"}
        assert not list(redis.scan_iter("Movie:*"))
        WriteBehind(redis, PARTITIONS).prepare()
        assert crowd.at_once('JSON.SET {} $ {"n":1}') == [b"+OK\r\n"] * CLIENTS

"""Connections to Redis that are lost, one or all, and what stands in the way of new ones."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

COUNT = "GB().foreach(lambda x: execute('INCR', 'n')).register(prefix='k:*', mode='sync')"


@pytest.fixture
def own(start_redis, tmp_path) -> Iterator[MiniGears]:
    """A minigears of the test's own, in front of a Redis that saves when it is told to."""
    gears = MiniGears(start_redis("--appendonly", "no"), tmp_path)
    gears.start()
    yield gears
    assert gears.stop() == 0


def count_of(gears: MiniGears, key: str) -> str:
    """How often the function has run, once this key has been written."""
    with gears.client() as client:
        client.set(key, 1)
        return client.get("n")


def test_a_timeout_of_redis_closes_no_client(own):
    own.run(COUNT)
    with own.client() as client, client.pubsub() as listener:
        listener.subscribe("c")
        direct = own.server.connect()
        direct.call("CONFIG", "SET", "timeout", "1")
        for _ in range(2):  # an idle connection lives so long
            idle = own.server.connect()
            with pytest.raises(ConnectionResetError):
                idle.read()
        with own.client() as client:
            assert client.publish("c", "still here") == 1
    assert "is gone" not in own.log
    assert count_of(own, "k:1") == "1"


def test_events_are_told_once_when_some_connections_are_lost(own):
    own.run(COUNT)
    own.server.connect().call("CLIENT", "KILL", "TYPE", "normal")
    wait_for(lambda: "is back" in own.log, what="new connections")
    assert count_of(own, "k:1") == "1"


def test_what_is_registered_while_connections_are_lost_is_watched(own):
    with pytest.raises(redis.ConnectionError):
        own.run(f"execute('CLIENT', 'KILL', 'TYPE', 'normal')\n{COUNT}")
    wait_for(lambda: "is back" in own.log, what="new connections")
    with own.client() as client:
        wait_for(lambda: client.execute_command("RG.DUMPREGISTRATIONS"), what="it")
    assert count_of(own, "k:1") == "1"


def test_a_recovery_that_fails_is_tried_again(own):
    own.run(COUNT)
    own.server.connect().call("SAVE")
    own.server.options += ["--user", "default", "on", "nopass", "~*", "&*", "+@all", "-xrange"]
    own.server.restart()
    wait_for(lambda: "not connected yet: NOPERM" in own.log, what="an attempt")
    own.server.connect().call("ACL", "SETUSER", "default", "+xrange")
    wait_for(lambda: "is back" in own.log, 60, "the attempt that succeeds")
    assert int(count_of(own, "k:1")) >= 1  # more if the next executor was just starting


def test_a_password_that_has_changed_is_said_once(own):
    direct = own.server.connect()
    direct.call("CONFIG", "SET", "requirepass", "new")
    direct.call("CLIENT", "KILL", "TYPE", "normal")
    wait_for(lambda: "with the password that redis-server has now" in own.log, what="the reason")
    direct.call("CONFIG", "SET", "requirepass", "")
    with own.client() as client:
        assert client.ping()
    assert own.log.count("not connected yet: redis-server at") == 1


def test_a_message_that_is_no_event_does_no_harm(own):
    own.run(COUNT)
    with own.client() as client:
        own.server.connect().call("PUBLISH", "__keyspace@0__:k:1", b"\xff")
        assert client.ping()
    assert "is gone" not in own.log


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_an_executor_is_started_once_there_is_room_for_one(own):
    door = own.process.pid
    limits = resource.prlimit(door, resource.RLIMIT_NOFILE)
    resource.prlimit(door, resource.RLIMIT_NOFILE, (8, limits[1]))
    own.executor.kill()
    wait_for(lambda: "cannot be started yet" in own.log, what="an attempt")
    resource.prlimit(door, resource.RLIMIT_NOFILE, limits)
    assert own.run("GB('ShardsIDReader').run()") == [["1"], []]


def test_who_asks_for_a_command_gets_an_answer_when_the_executor_dies(own):
    executor = own.executor
    with own.raw() as sock, sock.makefile("rb") as stream, own.client() as other:
        sock.sendall(b"PING\r\n")
        assert stream.readline() == b"+PONG\r\n"
        executor.suspend()
        sock.sendall(b"COMMAND INFO RG.TRIGGER\r\n")
        for _ in range(20):  # the door has handed it on by then
            other.ping()
        executor.kill()
        assert stream.readline().startswith((b"-ERR the executor died", b"*1"))
        sock.sendall(b"PING\r\n")
        wait_for(lambda: stream.readline() == b"+PONG\r\n", what="the next reply")

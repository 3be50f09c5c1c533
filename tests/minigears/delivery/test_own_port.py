"""Writers on Redis's own port: seen while minigears runs. No intent stands for their writes."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer, wait_for

SLOW = """
import time
def f(x):
    execute('SADD', 'begun', x['key'])
    while x['key'] == 'k:held' and not execute('EXISTS', 'go'):
        time.sleep(.01)
    execute('RPUSH', 'seen', x['event'] + ' ' + x['key'])
GB('KeysReader').foreach(f).register(prefix='k:*', mode='sync', readValue=False)
"""
"""The function of `k:held` does not end before the key `go` is there."""


@pytest.fixture
def own(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    """A minigears that may be killed."""
    gears = MiniGears(redis_server, tmp_path_factory.mktemp("gears"))
    gears.start()
    gears.run(SLOW)
    yield gears
    gears.stop()


@pytest.fixture
def held(own: MiniGears, redis_conn: BlockingConnection) -> BlockingConnection:
    """Redis's own port, on which a write was made whose function runs now."""
    redis_conn.call("SET", "k:held", 1)
    wait_for(lambda: redis_conn.call("SISMEMBER", "begun", "k:held"), what="the function")
    return redis_conn


def seen(conn: BlockingConnection) -> list[bytes]:
    return conn.call("LRANGE", "seen", 0, -1)


def test_an_executor_that_is_killed_runs_its_functions_again(
    own: MiniGears, held: BlockingConnection
) -> None:
    assert own.executor is not None
    own.executor.kill()
    held.call("SET", "go", 1)
    wait_for(lambda: b"set k:held" in seen(held), what="the event")


def test_sigterm_waits_for_functions_of_writers_on_redis_own_port(
    own: MiniGears, held: BlockingConnection
) -> None:
    assert own.process is not None
    own.process.send_signal(signal.SIGTERM)
    wait_for(lambda: _refuses(own), what="the door to close")
    held.call("SET", "go", 1)
    assert own.process.wait(30) == 0
    assert seen(held) == [b"set k:held"]


def _refuses(gears: MiniGears) -> bool:
    try:
        with gears.raw():
            return False
    except OSError:
        return True


def test_a_minigears_that_is_killed_forgets_events_of_redis_own_port(
    own: MiniGears, held: BlockingConnection
) -> None:
    """What came through the door at the same time becomes an event again."""
    with own.raw() as sock:
        sock.sendall(b"SET k:door 1\r\n")
        wait_for(lambda: held.call("EXISTS", "k:door"), what="the write")
        own.kill()
    held.call("SET", "go", 1)
    own.start()
    wait_for(lambda: b"change k:door" in seen(held), what="the event")
    with own.client() as client:
        client.set("k:last", 1)
    assert b"set k:last" in seen(held)
    assert not any(event.endswith(b" k:held") for event in seen(held))


def test_what_is_written_while_minigears_is_away_is_found_by_a_run(
    own: MiniGears, redis_conn: BlockingConnection
) -> None:
    own.kill()
    redis_conn.call("SET", "k:away", 1)
    own.start()
    with own.client() as client:
        client.set("k:last", 1)
        assert client.lrange("seen", 0, -1) == ["set k:last"]
        client.execute_command(
            "RG.PYEXECUTE", "GB().foreach(lambda x: execute('SADD', 'run', x['key'])).run('k:*')"
        )
        assert client.smembers("run") == {"k:away", "k:last"}


def test_streams_are_read_however_their_entries_came(
    own: MiniGears, redis_conn: BlockingConnection
) -> None:
    own.run(
        "GB('StreamReader').foreach(lambda x: execute('RPUSH', 'read', x['value']['n']))"
        ".register(prefix='s:*')"
    )
    redis_conn.call("XADD", "s:1", "*", "n", 1)
    wait_for(lambda: redis_conn.call("LLEN", "read") == 1, what="the entry")
    own.kill()
    redis_conn.call("XADD", "s:1", "*", "n", 2)
    own.start()
    wait_for(lambda: redis_conn.call("LRANGE", "read", 0, -1) == [b"1", b"2"], what="both entries")

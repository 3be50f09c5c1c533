"""redis-server is away, or stands still: clients are told so, and what they had asked for is not done later."""

from __future__ import annotations

import contextlib
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import redis

from minigears.protocol import encode_command
from tests.freeports import free_ports
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

COUNT = "GB().foreach(lambda x: execute('INCR', 'n')).register(prefix='k:*', mode='sync')"
LOADING = b"-LOADING minigears waits for redis-server"


@pytest.fixture
def own(start_redis, tmp_path) -> Iterator[MiniGears]:
    """A minigears of the test's own, with a page of metrics."""
    [port] = free_ports(1)
    gears = MiniGears(start_redis("--save", ""), tmp_path, "--metrics", f"127.0.0.1:{port}")
    gears.start()
    yield gears
    if gears.server.process:
        gears.server.process.send_signal(signal.SIGCONT)
    assert gears.stop() == 0


def away(gears: MiniGears) -> None:
    """Stop Redis, and wait until minigears refuses clients at once."""
    gears.server.stop(signal.SIGKILL)
    wait_for(lambda: "is gone; waiting for it" in gears.log, 60, "the loss")


def back(gears: MiniGears) -> None:
    gears.server.start()
    wait_for(lambda: "is back" in gears.log, 60, "Redis to be back")


@contextlib.contextmanager
def line(gears: MiniGears) -> Iterator[tuple[socket.socket, object]]:
    with gears.raw() as sock, sock.makefile("rb") as stream:
        sock.settimeout(60)
        yield sock, stream


def test_who_connects_is_told_and_goes_on_once_it_is_back(own):
    own.run(COUNT)
    client = own.client()  # its connection is lost, and made anew at its next call
    assert client.set("k:1", 1)
    away(own)
    for call in (client.ping, lambda: client.set("k:2", 1), lambda: own.run("GB().run()")):
        with pytest.raises(redis.BusyLoadingError, match="Try again later"):
            call()
    back(own)
    wait_for(lambda: told_nothing(client), 60, "an answer")
    assert client.set("k:3", 1)
    assert client.get("n") == "1"  # Redis keeps nothing here but the registration, if that


def told_nothing(client: redis.Redis) -> bool:
    """Whether the client is served again, with the registration (Redis had saved nothing)."""
    try:
        client.execute_command("RG.PYEXECUTE", COUNT)
    except (redis.ConnectionError, redis.ResponseError):
        return False
    return True


def test_each_command_is_refused_also_in_part_and_inline_and_nothing_runs_later(own):
    away(own)
    with line(own) as (sock, stream):
        said = encode_command([b"MULTI"]) + b"SET a 1\r\n" + encode_command([b"EXEC"])
        sock.sendall(said[:9])
        sock.sendall(said[9:])
        for _ in range(3):
            assert stream.readline().startswith(LOADING)
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n")  # half a command
        back(own)
        assert stream.read() == b""  # closed: nobody knows what was refused, and what not
    with own.client() as client:
        assert client.dbsize() == 0


def test_who_waits_in_silence_is_served_once_it_is_back(own):
    away(own)
    with line(own) as (sock, stream), line(own) as (_, refused):
        back(own)
        sock.sendall(b"PING\r\n")
        assert stream.readline() == b"+PONG\r\n"
        assert refused


def test_what_makes_no_sense_or_is_long_ends_the_connection(own):
    away(own)
    for junk in (b"*x\r\n", b"*1\r\n$3000000\r\n" + b"x" * 200_000, b'"\r\n'):
        with line(own) as (sock, stream):
            sock.sendall(b"PING\r\n")
            assert stream.readline().startswith(LOADING)
            with contextlib.suppress(OSError):
                sock.sendall(junk)
                assert not stream.read().startswith(b"+")


def test_the_writes_of_those_who_gave_up_do_not_run(own):
    away(own)
    with ExitStack() as stack:
        clients = [stack.enter_context(own.raw()) for _ in range(50)]
        for number, sock in enumerate(clients):
            sock.sendall(encode_command([b"SET", b"dead:%d" % number, b"v"]))
            if number % 2:
                sock.shutdown(socket.SHUT_WR)
    back(own)
    with own.client() as client:
        client.set("alive", 1)
        assert client.keys("*") == ["alive"]


def test_a_pipeline_behind_a_command_whose_client_is_gone_does_not_run(own):
    """It left more than a moment ago: the rest of what it had sent is dropped."""
    own.run("GB('CommandReader').map(slow).register(trigger='slow')".join(["""
import time
def slow(x):
    execute('SET', 'begun', 1)
    while not execute('EXISTS', 'go'):
        time.sleep(0.01)
""", ""]))  # fmt: skip
    with own.client() as client:
        with own.raw() as sock:
            sock.sendall(encode_command([b"RG.TRIGGER", b"slow"]))
            sock.sendall(encode_command([b"SET", b"dead", b"v"]))
            wait_for(lambda: client.exists("begun"), 60, "the command")
        wait_for(lambda: _seconds(client, 4), 60, "more than a moment")
        client.set("go", 1)
        wait_for(lambda: client.info("minigears")["minigears_clients"] == 1, 60, "its end")
        assert not client.exists("dead")


def _seconds(client: redis.Redis, count: int) -> bool:
    """Whether so much of Redis's own time has gone by since the first call."""
    client.set("clock", client.time()[0], nx=True)
    return client.time()[0] - int(client.get("clock")) >= count


def test_a_frozen_redis_is_shown_and_told(own):
    def shown() -> bytes:
        with urllib.request.urlopen(f"http://{own.options[1]}/metrics", timeout=60) as page:
            return page.read()

    assert b"\nminigears_redis_answers 1.0" in shown()
    with line(own) as (runs, answer), line(own) as (early, first), own.raw() as dead:
        for sock in (runs, early):
            sock.sendall(b"PING\r\n")
        assert first.readline() == b"+PONG\r\n"
        assert answer.readline() == b"+PONG\r\n"
        own.server.process.send_signal(signal.SIGSTOP)
        runs.sendall(encode_command([b"RG.PYEXECUTE", b"GB().run()"]))
        early.sendall(b"PING\r\n")
        dead.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\ndead\r\n$1\r\nv\r\n")
        assert answer.readline() == b""  # closed: nobody can say what its reply would be
        assert b"\nminigears_redis_answers 0.0" in shown()
        with line(own) as (late, second):
            late.sendall(b"PING\r\n")
            assert second.readline().startswith(LOADING)
        own.server.process.send_signal(signal.SIGCONT)
        assert first.readline() == b"+PONG\r\n"  # as Redis does
    wait_for(lambda: "answers again" in own.log, 60, "an answer")
    with own.client() as client, closing(own.server.connect()):
        assert client.ping()
        assert own.run("GB('ShardsIDReader').run()")
    assert b"\nminigears_redis_answers 1.0" in shown()


def test_a_function_of_one_who_is_gone_does_not_run_once_there_is_an_executor(own):
    run = "execute('SET', 'dead', 1)"
    executor = own.executor
    with own.client() as client:
        client.ping()
        executor.kill()
        wait_for(lambda: not client.info("minigears")["minigears_executor_ready"], 60, "its end")
        wait_for(lambda: own.executor, 60, "the next one")
        executor = own.executor
        executor.suspend()  # so that it gets ready when the client has been gone for a while
        with own.raw() as sock:
            sock.sendall(encode_command([b"RG.PYEXECUTE", run.encode()]))
            wait_for(lambda: client.info("minigears")["minigears_clients"] == 2, 60, "the client")
        wait_for(lambda: _seconds(client, 5), 60, "more than a moment")
        executor.resume()
        wait_for(lambda: client.info("minigears")["minigears_clients"] == 1, 60, "its end")
        assert own.run("GB('ShardsIDReader').run()")
        assert not client.exists("dead")

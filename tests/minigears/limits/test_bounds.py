"""What one client sends, by count and by bytes, never fills the door's memory."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing

import psutil
import pytest

from minigears.protocol import encode_command
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

GROWTH = 48 << 20  # bytes
WAITS = """
import time
def wait_for_go(x):
    while not execute('EXISTS', 'go'):
        time.sleep(0.01)
GB('KeysReader').foreach(wait_for_go).register(prefix='{prefix}:*', mode='{mode}', readValue=False)
"""


def memory(gears: MiniGears) -> int:
    """Bytes that the door holds."""
    assert gears.process is not None
    return int(psutil.Process(gears.process.pid).memory_info().rss)


def drink(sock: socket.socket, end: bytes) -> int:
    """Read up to `end`; returns how many bytes that were."""
    count, tail = 0, b""
    while not tail.endswith(end):
        chunk = sock.recv(1 << 20)
        assert chunk
        count += len(chunk)
        tail = (tail + chunk)[-len(end) :]
    return count


def test_names_of_one_who_has_not_logged_in(own):
    with own.raw() as sock, closing(own.server.connect()) as conn:
        conn.call("CONFIG", "SET", "requirepass", "secret")
        before = memory(own)
        for first in range(0, 4000, 50):
            names = (b"%016384d" % number for number in range(first, first + 50))
            sock.sendall(b"".join(encode_command([name]) for name in names))
            sock.sendall(encode_command([b"AUTH", b"end"]))
            drink(sock, b"disabled.\r\n")
        assert memory(own) < before + GROWTH / 2
        conn.call("CONFIG", "SET", "requirepass", "")


@pytest.mark.parametrize("keys", [1, 4000])
def test_events_of_one_hot_key_and_of_many(own, keys):
    own.run(WAITS.format(prefix="k", mode="async"))
    before = memory(own)
    with own.client() as client:
        for number in range(4000):
            client.incr(f"k:{number % keys}")
        assert client.info("minigears")["minigears_events_outstanding"] >= 3000
        assert memory(own) < before + GROWTH
        client.set("go", 1)
        wait_for(lambda: not client.info("minigears")["minigears_events_outstanding"], 120, "all")


@pytest.mark.parametrize("between", [0, 1])
def test_replies_behind_one_that_is_held(own, between):
    """Also between two of one pipeline."""
    own.run(WAITS.format(prefix="k", mode="sync"))
    with own.client() as client, own.raw() as sock, closing(own.server.connect()) as conn:
        client.set("big", b"x" * (1 << 20))
        first = encode_command([b"SET", b"k:1", b"v"])
        before = memory(own)
        sock.sendall(
            first + encode_command([b"GET", b"big"]) * 400 + first * between + b"ECHO end\r\n"
        )

        seen = [0] * 50  # bytes that Redis has not got rid of yet, whenever we looked

        def stands_still() -> bool:
            sizes = re.findall(r"omem=(\d+)", conn.call("CLIENT", "LIST").decode())
            seen.append(max(map(int, sizes)))
            return seen[-1] > 0 and len(set(seen[-50:])) == 1

        wait_for(stands_still, 60, lambda: f"Redis to keep replies {seen[-5:]}")
        assert seen[-1] > 200 << 20
        assert memory(own) < before + GROWTH
        client.set("go", 1)
        sock.settimeout(120)
        assert drink(sock, b"\r\nend\r\n") > 400 << 20
    assert memory(own) < before + GROWTH


def test_long_keys_of_writes_that_wait(own):
    """A thousand writes may wait, but not with a megabyte of key each."""
    own.run(WAITS.format(prefix="k", mode="sync"))
    with own.client() as client, own.raw() as sock:
        before = memory(own)
        writes = (encode_command([b"SET", b"k:%0500000d" % n, b"v"]) for n in range(200))
        sender = threading.Thread(target=lambda: [sock.sendall(write) for write in writes])
        sender.start()
        wait_for(lambda: client.info("minigears")["minigears_held_replies"], 60, "the first")
        for _ in range(50):
            client.ping()
        assert memory(own) < before + GROWTH
        client.set("go", 1)
        sock.settimeout(120)
        assert drink(sock, b"+OK\r\n" * 3) >= 15
        sender.join(120)
        assert not sender.is_alive()


def test_news_of_streams_for_an_executor_that_stands_still(own):
    own.run("GB('StreamReader').foreach(lambda x: None).register(prefix='s:*')")
    executor = own.executor
    with own.client() as client, closing(own.server.connect()) as conn:
        before = memory(own)
        executor.suspend()
        for number in range(6000):
            conn.call("XADD", b"s:%d:%010000d" % (number % 3, 0), "MAXLEN", "1", "*", "f", "v")
        for _ in range(20):
            client.ping()
        assert memory(own) < before + GROWTH / 2
        executor.resume()
        wait_for(lambda: client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').run()"))

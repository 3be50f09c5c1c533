"""RedisGears 1.2.13, recorded, against minigears: the same commands, the same replies."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigears.executor.redis.connection import pack
from tests.minigears.golden import recording
from tests.minigears.golden.exceptions import MUST_BE
from tests.minigears.golden.recording import Exchange, Ids
from tests.minigears.realgears import SHARED_CACHE
from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import RedisServer
from tests.plugins.sandbox import REPOSITORY

PATIENCE = 20.0  # seconds that the recording's pauses stand for, at most


def documented() -> set[int]:
    """The exchanges that differ, as docs/minigears.md tells its readers."""
    text = (REPOSITORY / "docs/minigears.md").read_text()
    table = text.partition("## Differences in the recording")[2].partition("\n## ")[0]
    return {int(n) for n in re.findall(r"^\| (\d+) \|", table, re.M)}


class Client:
    """A raw connection: replies are compared byte by byte."""

    def __init__(self, port: int):
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.settimeout(120)
        self._file = self._sock.makefile("rb")

    def call(self, words: list[bytes]) -> bytes:
        self._sock.sendall(pack(words))
        return self._reply()

    def _reply(self) -> bytes:
        line = self._file.readline()
        assert line, "minigears closed the connection"
        kind, size = line[:1], line[1:-2]
        if kind == b"$" and int(size) >= 0:
            return line + self._file.read(int(size) + 2)
        if kind == b"*":
            return line + b"".join(self._reply() for _ in range(int(size)))
        return line

    def close(self) -> None:
        self._file.close()
        self._sock.close()


@pytest.fixture
def client(redis_server: RedisServer, tmp_path: Path) -> Iterator[Client]:
    """A client of a minigears in front of an empty Redis."""
    command = [sys.executable, "-m", "minigears", "--redis", f"unix://{redis_server.socket}"]
    command += ["--listen", "127.0.0.1:0", "--cache", str(SHARED_CACHE)]
    log = (tmp_path / "minigears.log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert ready, (tmp_path / "minigears.log").read_text()
    client = Client(int(ready.rpartition(":")[2]))
    yield client
    client.close()
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    log.close()
    print((tmp_path / "minigears.log").read_text()[-20000:])


def replay(client: Client, exchange: Exchange, ids: Ids, mongo: str) -> bytes:
    """Send it; what only reads is sent until the reply is as recorded, or patience ends."""
    words = [ids.put(word).replace(b"<MONGO>", mongo.encode()) for word in exchange.send]
    deadline = time.monotonic() + PATIENCE
    while True:
        got = client.call(words)
        if not exchange.only_reads or recording.same(exchange, got, ids):
            return got
        if time.monotonic() > deadline:
            return got


def right(exchange: Exchange, got: bytes, ids: Ids) -> bool:
    """Whether a reply is as recorded, or what the page says that it is instead."""
    if must_be := MUST_BE.get(exchange.n):
        return must_be(got, exchange.reply)
    return recording.same(exchange, got, ids)


def test_what_differs_is_documented() -> None:
    assert documented() == MUST_BE.keys()


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("needs_json")
def test_replay(client: Client, mongo: MongoServer) -> None:
    ids = Ids()
    wrong = []
    for exchange in recording.load():
        got = replay(client, exchange, ids, f"127.0.0.1:{mongo.port}")
        if not right(exchange, got, ids):
            wrong.append(f"{exchange}\n  recorded {exchange.reply!r}\n  got      {got!r}")
        ids.learn(exchange, got)
    assert not wrong, "\n".join(wrong)

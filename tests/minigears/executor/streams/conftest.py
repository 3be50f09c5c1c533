from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from minigears.executor.redis.connection import BlockingConnection
from minigears.executor.stats import Stats
from minigears.executor.streams import StreamArgs, StreamReaderRunner
from minigears.loops import Loops
from tests.minigears.realredis import RedisServer, wait_for


@dataclass
class Registration:
    """The part of a registration that a runner needs."""

    args: StreamArgs
    id: str = "0-1"
    stats: Stats = field(default_factory=Stats)


class Steps:
    """Steps of user code that keep what they got, and fail or wait when told to."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.error: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Event()

    def __call__(self, records: list[dict[str, Any]]) -> None:
        self.batches.append(records)
        self.running.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    @property
    def ids(self) -> list[str]:
        return [record["id"] for batch in self.batches for record in batch]


class Log(list[str]):
    def __call__(self, message: str, level: str) -> None:
        self.append(f"{level} {message}")


class Reader:
    """A runner with its steps, its registration and its log."""

    def __init__(self, server: RedisServer, args: StreamArgs):
        self.steps = Steps()
        self.registration = Registration(args)
        self.log = Log()
        self.server = server
        self.runner = StreamReaderRunner(
            self.registration, self._connect, self.steps, self.log, Loops(pause=0.01)
        )

    def _connect(self) -> BlockingConnection:
        conn = self.server.connect()
        conn.call("CLIENT", "SETNAME", "reader")
        return conn

    def has_looked(self, conn: BlockingConnection) -> bool:
        """Whether every reader has looked for streams, so that what is added now is new."""
        clients = [line for line in conn.call("CLIENT", "LIST").split(b"\n") if b"=reader" in line]
        before = (b"cmd=client|setname", b"cmd=time")
        return bool(clients) and not any(word in line for line in clients for word in before)

    @property
    def stats(self) -> Stats:
        return self.registration.stats


@pytest.fixture
def start_reader(redis_server: RedisServer) -> Iterator[Callable[..., Reader]]:
    """Starts readers of `redis_server`; all are stopped after the test."""
    readers: list[Reader] = []

    def start(
        prefix: str = "s:*",
        server: RedisServer = redis_server,
        after: Reader | None = None,
        **args: Any,
    ) -> Reader:
        reader = Reader(server, StreamArgs(prefix, **args))
        readers.append(reader)
        if after:
            reader.runner.start(after=[after.runner])
            return reader
        reader.runner.start()
        conn = server.connect()
        wait_for(lambda: reader.has_looked(conn), what="the reader to look for streams")
        conn.close()
        return reader

    yield start
    for reader in readers:
        reader.steps.gate.set()
        reader.runner.stop()
        assert reader.runner.join(30)


class Stream:
    """A stream and what is known of it."""

    def __init__(self, conn: BlockingConnection, key: str = "s:1"):
        self.conn = conn
        self.key = key

    def add(self, count: int = 1, *readers: Reader) -> list[str]:
        """Add entries and, as the door does, tell the readers."""
        ids = self.conn.pipeline([("XADD", self.key, "*", "n", n) for n in range(count)])
        for reader in readers:
            reader.runner.notify(self.key.encode())
        return [entry.decode() for entry in ids]

    def length(self) -> int:
        return int(self.conn.call("XLEN", self.key))

    def pending(self) -> int:
        return int(self.conn.call("XPENDING", self.key, "__gears_consumer_group__")[0])


@pytest.fixture
def stream(redis_conn: BlockingConnection) -> Stream:
    return Stream(redis_conn)

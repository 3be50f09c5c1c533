"""What the door's own code takes for a command, without the kernel: sockets that only count, and clients that share.

    python -m benchmarks.minigears.door [--rounds 2000]

Microseconds of the quickest round, which other work on the machine does not change. To compare with another checkout,
put its `src` into PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import click
import hiredis

from minigears.commandtable import CommandTable
from minigears.door.availability import Availability
from minigears.door.capture.captures import Captures
from minigears.door.capture.queue import Queue
from minigears.door.clients.client import Client
from minigears.door.clients.states import Login, Transition
from minigears.door.commands.classifier import Classifier
from minigears.door.pooled.connections import ConnectionPool, PooledConnection
from minigears.interest import Interest
from minigears.protocol import encode_command

CLIENTS, DEPTH = 20, 50
DOCUMENT = b'{"text":"%b"}' % (b"x" * 1000)
OK = b"+OK\r\n"


class Socket:
    """A transport that keeps what is written until somebody takes it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self.written = b"".join(self.written), []
        return data

    def is_closing(self) -> bool:
        """Never."""
        return False

    def pause_reading(self) -> None:
        """Nothing to do; nor by the next."""

    resume_reading = pause_reading

    def get_extra_info(self, name: str) -> None:
        """It has no name and no peer."""


class Bench:
    """Clients of a door that captures, and a Redis that answers OK."""

    def __init__(self) -> None:
        captures = Captures({b"Captured:": Queue()})
        watch: Any = type(
            "Watch", (), {"captures": captures, "table": CommandTable({}), "crowded": False}
        )()
        watch.classifier = Classifier(watch.table, Interest(), captures)
        nothing = cast(Any, lambda: None)
        pool = ConnectionPool(nothing, nothing)
        self.shared = PooledConnection(2, nothing, nothing, nothing)
        self.redis = Socket()
        self.shared.connection_made(cast(Any, self.redis))
        pool._reads = pool._writes = {2: self.shared}
        everybody: set[Client] = set()
        self.clients = [self._client(watch, pool, everybody) for _ in range(CLIENTS)]

    def _client(self, watch: Any, pool: ConnectionPool, everybody: set[Client]) -> Client:
        client = Client(watch, cast(Any, None), pool, Availability(), everybody)
        cast(Any, client)._run = lambda work, then: work.close()
        client.connection_made(cast(Any, Socket()))
        client.place.take(Transition.INTRODUCE)
        client.conversation._login = Login.NOT_NEEDED
        assert client._sharing is not None
        client._sharing.connected()
        return client

    async def together(self, prefix: bytes, rounds: int) -> float:
        """Each client sends a command, Redis answers all; microseconds for each command."""
        said = [
            encode_command([b"JSON.SET", b"%b%d" % (prefix, n), b"$", DOCUMENT])
            for n in range(CLIENTS)
        ]
        best = float("inf")
        for _ in range(rounds):
            started = time.perf_counter()
            for client, command in zip(self.clients, said, strict=True):
                client.data_received(command)
            await asyncio.sleep(0)
            between = time.perf_counter()
            replies = _replies(self.redis.take())
            again = time.perf_counter()
            self.shared.data_received(replies)
            best = min(best, between - started + time.perf_counter() - again)
            assert {cast(Socket, client._transport).take() for client in self.clients} == {OK}
        return best / CLIENTS * 1e6

    async def pipelined(self, prefix: bytes, rounds: int) -> float:
        """One client on its own connection sends pipelines; microseconds for each command."""
        client = self.clients[-1]
        if client._sharing is not None:
            client._backend = cast(Any, type("Backend", (), {"transport": Socket()})())
            client._sharing.slow()
        said = b"".join(
            encode_command([b"JSON.SET", b"%b%d" % (prefix, n), b"$", DOCUMENT])
            for n in range(DEPTH)
        )
        best = float("inf")
        for _ in range(rounds):
            started = time.perf_counter()
            client.data_received(said)
            client.from_redis(OK * DEPTH)
            best = min(best, time.perf_counter() - started)
            cast(Any, client._backend).transport.take()
            cast(Any, client._transport).take()
        return best / DEPTH * 1e6


def _replies(sent: bytes) -> bytes:
    """What Redis says to all this."""
    reader, said = hiredis.Reader(), b""
    reader.feed(sent)
    while (argv := reader.gets()) is not False:
        count = int(argv[2]) // 4 if argv[1] == b"wb_captures" else 0
        said += b"*%d\r\n" % count + OK * count if count else OK
    return said


@click.command()
@click.option("--rounds", default=2000, show_default=True)
def main(rounds: int) -> None:
    """Time JSON.SET of 1 KB, relayed and captured, of 20 clients and in pipelines of 50."""

    async def measure() -> None:
        bench = Bench()
        ways: dict[str, Callable[[bytes, int], Any]] = {
            "20 clients": bench.together, "pipelines of 50": bench.pipelined,
        }  # fmt: skip
        for shape, way in ways.items():
            for what, prefix in (("relayed", b"Other:"), ("captured", b"Captured:")):
                print(f"{what}, {shape}: {await way(prefix, rounds):.2f} µs")

    asyncio.run(measure())


if __name__ == "__main__":
    main()

"""The least that a relay in Python does: bytes from one socket to another, none of them looked at.

    python -m benchmarks.minigears.bare_relay SOCKET     prints the port that it listens on

What it loses against plain Redis is the machine's price of one more process, and the floor for minigears.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop


class _Back(asyncio.Protocol):
    """The side of redis-server."""

    def __init__(self, front: asyncio.Transport):
        self._front = front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._front.write(data)


class _Front(asyncio.Protocol):
    """The side of one client; what it says before redis-server is reached waits."""

    def __init__(self, path: str):
        self._path = path
        self._back: _Back | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, self._back = await loop.create_unix_connection(
            lambda: _Back(self._transport), self._path
        )
        self._back.transport.writelines(self._early)

    def data_received(self, data: bytes) -> None:
        if self._back:
            self._back.transport.write(data)
        else:
            self._early.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._back:
            self._back.transport.close()


async def _serve(path: str) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Front(path), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_serve(sys.argv[1]))

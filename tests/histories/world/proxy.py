"""A small TCP proxy between two parts, that drops, delays, cuts, or answers nothing.

It runs on a thread of its own and listens on loopback. What is in its way when a mood changes is
treated by the new mood: bytes that a hanging proxy has read are delivered once it passes again, as
a network does that was only slow.
"""

from __future__ import annotations

import asyncio
import threading
from enum import Enum
from pathlib import Path
from types import TracebackType


class Mood(Enum):
    """How a proxy treats what passes."""

    PASSING = "passing"
    HANGING = "hanging"  # takes bytes and connections, delivers nothing
    REFUSING = "refusing"  # ends connections, takes no new ones
    SLOW = "slow"  # each piece takes `DELAY` seconds


DELAY = 0.05
_PIECE = 65536


class Proxy:
    """Forwards connections at `port` of loopback to `target`: a port of loopback, or a unix socket."""

    def __init__(self, target: int | Path):
        self._target = target
        self._mood = Mood.PASSING
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.port = started.result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def be(self, mood: Mood) -> None:
        """Change the mood, for connections that are open, too."""
        asyncio.run_coroutine_threadsafe(self._be(mood), self._loop).result(10)

    def cut(self) -> None:
        """End every open connection, once; new ones are taken."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        await self._server.wait_closed()

    async def _be(self, mood: Mood) -> None:
        self._mood = mood
        if mood is Mood.HANGING:
            self._passing.clear()
        else:
            self._passing.set()
        if mood is Mood.REFUSING:
            await self._cut()

    async def _cut(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._mood is Mood.REFUSING:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._passing.wait()
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # cut, or one side went: the other one learns it below
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._target, Path):
            there, back = await asyncio.open_unix_connection(self._target)
        else:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [
            asyncio.ensure_future(self._pump(reader, back)),
            asyncio.ensure_future(self._pump(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(_PIECE):
            if self._mood is Mood.SLOW:
                await asyncio.sleep(DELAY)
            await self._passing.wait()
            sink.write(piece)
            await sink.drain()

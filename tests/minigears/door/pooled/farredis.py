"""A redis-server that is far away: a relay in front of one keeps each reply for a moment."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path


class FarRedis:
    """Listens on a unix socket while it is open; both halves of a connection are closed as they come."""

    def __init__(self, target: Path, path: Path, delay: float):
        """`delay` is in seconds."""
        self.socket = path
        self._target = target
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> FarRedis:
        self._thread.start()
        server = asyncio.start_unix_server(self._accept, self.socket)
        asyncio.run_coroutine_threadsafe(server, self._loop).result(30)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._target)
        await asyncio.gather(self._pump(reader, back, 0), self._pump(there, writer, self._delay))

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float
    ) -> None:
        later = self._loop.call_later
        try:
            while piece := await source.read(1 << 16):
                later(delay, sink.write, piece) if delay else sink.write(piece)
        except OSError:
            pass
        if delay:
            later(delay, sink.close)
        elif not sink.is_closing():
            sink.write_eof()

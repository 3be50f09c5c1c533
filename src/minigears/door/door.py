"""The door: accepts clients, and puts together what serves them.

Everything here runs on one event loop and none of it is user code.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Mapping

from minigears.address import host_and_port
from minigears.door.availability import Availability
from minigears.door.capture.queue import Queue
from minigears.door.clients.client import Client
from minigears.door.events.watch import Watch
from minigears.door.executor import Settings
from minigears.door.pooled.connections import ConnectionPool
from minigears.door.safeguards import Safeguards
from minigears.door.serving import served
from minigears.door.status import Overview
from minigears.door.upkeep import Upkeep
from minigears.loops import Loops


class Door:
    """One listening minigears in front of one redis-server."""

    def __init__(
        self,
        settings: Settings,
        open_to_others: bool = False,
        captures: Mapping[bytes, Queue] | None = None,
        queue: Queue | None = None,
    ):
        """With `open_to_others` it serves only a Redis that asks everybody for a password.

        `captures` are the prefixes whose writes are captured, `queue` is that of captures to come.
        """
        self._loops = Loops()
        self._clients: set[Client] = set()
        self.watch = Watch(settings, captures or {}, queue or Queue(), self._loops)
        self._pool = ConnectionPool(self.watch.journal.write_together, self.watch.crossing)
        self._availability = Availability()
        self._upkeep = Upkeep(
            *(settings.address, self.watch, self._pool, self._availability),
            *(self._clients, open_to_others),
        )
        self._safeguards = Safeguards(self.watch, self._availability)
        self.overview = Overview(self.watch, self._availability, self._safeguards, self._clients)
        desk = served.Desk(self.watch, self.overview.with_section)
        self._serve = functools.partial(served.serve, desk)
        self._guard: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    async def start(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        """Connect, start the executor, recover what was left, listen; returns the address.

        Raises:
            BackendError: redis-server cannot be reached or refuses what is needed.
            ExecutorLost: the executor does not start.
            OSError: the address is taken.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loops.unobserved)
        # Take the port first: when somebody has it, nothing else should have been started.
        try:
            self._server = await loop.create_server(
                self._accept, host, port, ssl=tls, start_serving=False, backlog=1024
            )
        except (OSError, UnicodeError) as error:  # the latter: a host that cannot be a name
            place = host_and_port(host, port)
            raise OSError(f"cannot listen on {place}: {error}. Choose another --listen") from None
        await self._upkeep.connect()
        await self.watch.executor.start()
        await self.watch.recover()
        self._upkeep.begin(self._loops)
        self._guard = self._loops.task("the watch over settings", self._safeguards.watch)
        await self._server.start_serving()
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    def _accept(self) -> Client:
        return Client(self.watch, self._serve, self._pool, self._availability, self._clients)

    async def stop(self, timeout: float) -> None:
        """Stop accepting, let writes on their way come to their end, close."""
        if self._server:
            self._server.close()
        self._upkeep.stop()
        if self._guard:
            self._guard.cancel()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while loop.time() < deadline and self._busy():
            await asyncio.sleep(0.01)
        for client in list(self._clients):
            client.close()
        self.watch.journal.flush()
        await self.watch.executor.stop()

    def _busy(self) -> bool:
        """Whether functions are on their way: no intent brings back those of other writers."""
        on_their_way = len(self.watch.delivery) > 0 and self._availability.connected.is_set()
        return on_their_way or any(client.waiting for client in self._clients)

"""The door's own connections to redis-server: made, kept alive, made again, and what was left behind recovered."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from minigears.address import Address
from minigears.door.availability import Availability
from minigears.door.clients.client import Client
from minigears.door.events.watch import Watch
from minigears.door.pooled.connections import LIMITS, ConnectionPool
from minigears.door.redis import BackendError, Connection, open_connection, wants_password
from minigears.door.serving import access
from minigears.loops import Loops

log = logging.getLogger(__name__)

_HEARTBEAT = 0.5  # seconds; the shortest `timeout` of Redis is one
FROZEN = 10.0
"""Seconds without an answer after which redis-server counts as frozen."""

_RECONNECT_PAUSE = 0.2  # seconds, doubled up to _RECONNECT_LIMIT
_RECONNECT_LIMIT = 5.0


class Upkeep:
    """Keeps one door connected, and closes its clients when it is not."""

    def __init__(
        self,
        address: Address,
        watch: Watch,
        pool: ConnectionPool,
        availability: Availability,
        clients: set[Client],
        open_to_others: bool,
    ):
        """With `open_to_others` it connects only to a Redis that asks everybody for a password."""
        self._address = address
        self._watch = watch
        self._pool = pool
        self._availability = availability
        self._clients = clients
        self._open_to_others = open_to_others
        self._asked: float | None = None
        """Since when an answer to a heartbeat is awaited."""
        self._lost: asyncio.Future[Any] | None = None
        """Done when one of the door's own connections is lost."""
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect for the first time.

        Raises:
            BackendError: redis-server cannot be reached or refuses what is needed.
        """
        self._lost = await self._connect()

    def begin(self, loops: Loops) -> None:
        """Clients may come: from here on the connections are watched."""
        self._connected()
        self._task = loops.task("the watch over redis-server", self._keep_connected)

    def stop(self) -> None:
        """Let what happens to redis-server be."""
        if self._task:
            self._task.cancel()

    async def _connect(self) -> asyncio.Future[Any]:
        """Connect all of the door's own connections; the future is done when one is lost."""
        admin = await open_connection(self._address, Connection)
        self._watch.use(admin)
        await access.check(admin)
        if self._open_to_others and not await wants_password(self._address):
            raise BackendError(
                f"redis-server at {self._address} lets in who has no password (its user `default`), so "
                "whoever reaches this port could run Python code here. Set requirepass in redis.conf, "
                "or pass --allow-open"
            )
        watching = await self._watch.connect()
        pool = await self._pool.connect(self._address)
        lost = asyncio.get_running_loop().create_future()
        for closed in (admin.closed, *watching, *pool):
            closed.add_done_callback(lambda _: None if lost.done() else lost.set_result(None))
        return lost

    async def _keep_connected(self) -> None:
        while True:
            while self._lost and not self._lost.done():
                self._beat()
                self._look_whether_it_answers()
                await asyncio.wait([self._lost], timeout=_HEARTBEAT)
            self._availability.gone()
            log.error("redis-server at %s is gone; waiting for it", self._address)
            for client in list(self._clients):
                client.close()
            self._lost = None  # whatever fails from here on, it starts again here
            self._lost = await self._reconnect()
            log.info("redis-server at %s is back", self._address)
            self._watch.executor.send(("rescan",))  # streams may have grown while nobody told us
            self._connected()

    def _connected(self) -> None:
        self._asked = None
        self._availability.back()

    def _look_whether_it_answers(self) -> None:
        """Tell those who wait for nothing but redis-server when it does not answer for too long."""
        now = asyncio.get_running_loop().time()
        frozen = self._asked is not None and now - self._asked > FROZEN
        available = self._availability.available
        if frozen and available.is_set():
            log.error("redis-server at %s has not answered for %d s", self._address, FROZEN)
            self._availability.silent()
            for client in [client for client in self._clients if client.stuck]:
                client.turn_away()
        elif not frozen and not available.is_set():
            log.info("redis-server at %s answers again", self._address)
            available.set()

    def _beat(self) -> None:
        """Say something on each connection: Redis closes those that do not, if it has a `timeout`."""
        if self._asked is not None:  # what a frozen Redis is told would pile up
            return
        self._asked = asyncio.get_running_loop().time()
        self._watch.admin.send(self._answered, "CONFIG", "GET", *LIMITS)
        self._watch.journal.beat()
        self._pool.beat()
        self._watch.notifications.barrier(lambda: None)

    def _answered(self, reply: Any) -> None:
        self._asked = None
        self._pool.told(reply)

    async def _reconnect(self) -> asyncio.Future[Any]:
        """Connect again and recover what was left, however often that takes."""
        pause, said = _RECONNECT_PAUSE, ""
        while True:
            self._watch.disconnect()
            self._pool.disconnect()
            await asyncio.sleep(pause)
            try:
                lost = await self._connect()
                await self._watch.recover()
                return lost
            except BackendError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("not connected yet: %s", said)
                pause = min(pause * 2, _RECONNECT_LIMIT)

"""The door: accepts clients, knows which of their writes concern a registration, waits for functions.

Everything here runs on one event loop and none of it is user code.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import ssl
from collections.abc import Callable, Collection, Sequence
from typing import Any

from minigears.address import Address, host_and_port
from minigears.commandtable import CommandTable
from minigears.door.capture.captures import Captures
from minigears.door.clients import access, served
from minigears.door.clients.client import Client
from minigears.door.clients.conversation import Conversation
from minigears.door.clients.replies import Hold
from minigears.door.clients.slowlog import SlowLog
from minigears.door.commands.classifier import Classifier
from minigears.door.events.delivery import Delivery, Event
from minigears.door.events.journal import Journal
from minigears.door.events.notifications import Notifications, enable_notifications
from minigears.door.events.overrides import Scopes
from minigears.door.events.suspects import Probation
from minigears.door.executor import Callbacks, Settings, Supervisor
from minigears.door.pooled.connections import LIMITS, Lanes
from minigears.door.redis import BackendError, Connection, open_connection, wants_password
from minigears.door.safeguards import Safeguards
from minigears.interest import Interest
from minigears.loops import Loops
from minigears.protocol import Command
from minigears.seal import Seal

log = logging.getLogger(__name__)

_HEARTBEAT = 0.5  # seconds; the shortest `timeout` of Redis is one
FROZEN = 10.0
"""Seconds without an answer after which redis-server counts as frozen."""

BLINK = 1.0
"""Seconds that new clients wait for a redis-server that has just gone, before they are refused."""

_RECONNECT_PAUSE = 0.2
_RECONNECT_LIMIT = 5.0
_FLUSH_AGAIN = 0.1


class Door:
    """One listening minigears in front of one redis-server."""

    def __init__(
        self, settings: Settings, open_to_others: bool = False, captures: Captures | None = None
    ):
        """With `open_to_others` it serves only a Redis that asks everybody for a password."""
        self.address: Address = settings.address
        self._open_to_others = open_to_others
        self.loops = Loops()
        self.clients: set[Client] = set()
        self.interest = Interest()
        self.captures = captures or Captures()
        self.seal = Seal(self.address.password, settings.previous_password)
        self.journal = Journal(self.seal, self._journal_lost)
        self._bringing_back: asyncio.Task[None] | None = None
        self.delivery = Delivery()
        self.notifications = Notifications(
            self._event, lambda mark: self.executor.marks.begins(mark)
        )
        self.table = CommandTable({})
        self.classifier = Classifier(self.table, self.interest, self.captures)
        self.scopes = Scopes()
        self.slowlog = SlowLog()
        callbacks = Callbacks(self._interest, self._done, self._executor_ready, self._flush_soon)
        self.executor = Supervisor(settings, callbacks, self.loops)
        self.connected = asyncio.Event()
        """Set while the door's own connections to redis-server are there."""
        self.available = asyncio.Event()
        """Set while redis-server is there and answers: without it new clients are refused."""
        self._asked: float | None = None
        """Since when an answer to a heartbeat is awaited."""
        self._away = 0.0
        """Since when redis-server is not available."""
        self.lanes = Lanes()
        self.safeguards = Safeguards(self)
        self._guard: asyncio.Task[None] | None = None
        self._admin: Connection | None = None
        self._outbox: list[Event] = []
        self._probation = Probation(self._resend, self._given_up)
        self._streams: set[bytes] = set()
        self._flushing = False
        self._server: asyncio.Server | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[Any] | None = None
        """Done when one of the door's own connections is lost."""

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
        loop.set_exception_handler(self.loops.unobserved)
        # Take the port first: when somebody has it, nothing else should have been started.
        try:
            self._server = await loop.create_server(
                lambda: Client(self), host, port, ssl=tls, start_serving=False, backlog=1024
            )
        except (OSError, UnicodeError) as error:  # the latter: a host that cannot be a name
            place = host_and_port(host, port)
            raise OSError(f"cannot listen on {place}: {error}. Choose another --listen") from None
        self._lost = await self._connect()
        await self.executor.start()
        await self._recover()
        self._set_connected()
        self._keeper = self.loops.task("the watch over redis-server", self._keep_connected)
        self._guard = self.loops.task("the watch over settings", self.safeguards.watch)
        await self._server.start_serving()
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def stop(self, timeout: float) -> None:
        """Stop accepting, let writes on their way come to their end, close."""
        if self._server:
            self._server.close()
        for task in (self._keeper, self._guard):
            if task:
                task.cancel()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while loop.time() < deadline and self._busy():
            await asyncio.sleep(0.01)
        for client in list(self.clients):
            client.close()
        self.journal.flush()
        await self.executor.stop()

    def _busy(self) -> bool:
        """Whether functions are on their way: no intent brings back those of other writers."""
        on_their_way = len(self.delivery) > 0 and self.connected.is_set()
        return on_their_way or any(client.waiting for client in self.clients)

    # commands

    async def serve(self, client: Conversation, argv: Command) -> None:
        """Serve a command of kind SPECIAL for a client all of whose earlier ones are answered."""
        await served.serve(self, client, argv)

    # events

    def settle(self, holds: Sequence[Hold], callback: Any) -> None:
        """Call back when the synchronous functions of these writes are done, and there is room again.

        Their intents are removed when the asynchronous ones are done too.
        """
        keys = {key for hold in holds for key in hold.keys}
        self.safeguards.wrote(keys)

        def release() -> None:
            for hold in holds:
                self.journal.release(hold.intent)

        def told() -> None:
            self.delivery.wait(keys, False, release)
            self.delivery.wait(keys, True, recorded)

        def recorded() -> None:
            _when_recorded(holds, room)

        def room() -> None:
            if self.delivery.crowded:
                self.when_room(keys, callback)
            else:
                callback()

        self.notifications.barrier(told)

    def when_room(self, keys: Collection[bytes], callback: Callable[[], None]) -> None:
        """Call back when no registration about these keys has too many events on their way.

        A writer waits for that: it is slowed down to the pace of the functions that it causes.
        """
        about = {watch.id for key in keys for watch in self.interest.about(key)}
        self.delivery.when_room(about, callback)

    def _event(self, key: bytes, name: str, own: bool) -> None:
        """Redis told of an event; `own` ones were caused by a sync function."""
        if name == "xadd" and self.interest.is_stream(key):
            self._streams.add(key)
            self._flush_soon()
        if own:
            return
        for watch in self.interest.watchers(key, name):
            event = self.delivery.add(watch.id, key, name, watch.sync)
            if not (watch.commands and self.scopes.take(event)):
                self._outbox.append(event)
                self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Hand on what happened; what cannot be sent for an error stays, and is tried again."""
        self._flushing = False
        if self.executor.full:  # once it has room: `_outbox` grows no faster than `delivery`
            return
        try:
            if self._outbox:
                self.executor.send_events(self._outbox)
                self._outbox = []
            if self._streams:
                self.executor.send(("streams", list(self._streams)))
                self._streams = set()
        except Exception as error:
            self.loops.failed("handing events on", error)
            self._flushing = True
            asyncio.get_running_loop().call_later(_FLUSH_AGAIN, self._flush)

    # the executor

    async def _interest(self, frame: dict[str, Any]) -> None:
        self.interest = Interest.from_frame(frame)
        self.classifier = Classifier(self.table, self.interest, self.captures)
        try:
            if self.interest.needs_events:
                await enable_notifications(self.admin, self.interest.reads_matter)
            await self.notifications.watch(self.interest.subscriptions())
        except BackendError as error:  # `_connect` does both once Redis is back
            log.warning("the registrations are not watched yet: %s", error)

    def _executor_ready(self) -> None:
        """Send again what the last executor did not finish.

        What was on its way to a registration that is gone goes to those that are there now: they
        may have replaced it.
        """
        known = {watch.id for watch in self.interest.keys}
        for event in self.delivery.outstanding():
            if event.registration not in known:
                for watch in self.interest.watchers(event.key, event.name):
                    self.delivery.add(watch.id, event.key, event.name, watch.sync)
                self.delivery.done([event.seq])
        self._outbox.clear()
        self._flush_soon()
        outstanding = self.delivery.outstanding()
        unloaded = self.interest.unloaded
        self.hand_over(
            [e for e in outstanding if e.registration in unloaded]
        )  # they only wait there
        self._probation.begin([e for e in outstanding if e.registration not in unloaded])

    def _resend(self, event: Event) -> None:
        self.hand_over([event])

    def hand_over(self, events: Collection[Event]) -> None:
        """Send events to the executor that are on its list and were kept back."""
        if events:
            self._outbox.extend(events)
            self._flush_soon()

    def _given_up(self, event: Event) -> None:
        log.error(
            "%s of %.200r killed the executor again and again; registration %s never handles it",
            event.name,
            event.key,
            event.registration,
        )
        self.delivery.done([event.seq])

    def _done(self, seqs: list[int]) -> None:
        self.delivery.done(seqs)
        self._probation.done(seqs)

    # redis-server

    async def _connect(self) -> asyncio.Future[Any]:
        """Connect all of the door's own connections; the future is done when one is lost."""
        self._admin = await open_connection(self.address, Connection)
        await access.check(self._admin)
        if self._open_to_others and not await wants_password(self.address):
            raise BackendError(
                f"redis-server at {self.address} lets in who has no password (its user `default`), so "
                "whoever reaches this port could run Python code here. Set requirepass in redis.conf, "
                "or pass --allow-open"
            )
        self.table = CommandTable.from_reply(await self._admin.call("COMMAND"))
        self.classifier = Classifier(self.table, self.interest, self.captures)
        if self.interest.needs_events:
            await enable_notifications(self._admin, self.interest.reads_matter)
        journal = await self.journal.connect(self.address)
        patterns = self.interest.subscriptions()
        notifications = await self.notifications.connect(self.address, patterns)
        lanes = await self.lanes.connect(self.address)
        lost = asyncio.get_running_loop().create_future()
        for closed in (self._admin.closed, journal, notifications, *lanes):
            closed.add_done_callback(lambda _: None if lost.done() else lost.set_result(None))
        return lost

    async def _keep_connected(self) -> None:
        while True:
            while self._lost and not self._lost.done():
                self._beat()
                self._look_whether_it_answers()
                await asyncio.wait([self._lost], timeout=_HEARTBEAT)
            self.connected.clear()
            self._not_available()
            log.error("redis-server at %s is gone; waiting for it", self.address)
            for client in list(self.clients):
                client.close()
            self._lost = None  # whatever fails from here on, it starts again here
            self._lost = await self._reconnect()
            log.info("redis-server at %s is back", self.address)
            self.executor.send(("rescan",))  # streams may have grown while nobody told us
            self._set_connected()

    def _set_connected(self) -> None:
        self._asked = None
        self.connected.set()
        self.available.set()

    def _not_available(self) -> None:
        self.available.clear()
        self._away = asyncio.get_running_loop().time()

    async def comes_back_soon(self) -> bool:
        """Wait for redis-server, but not for one that has been away for a moment already."""
        left = self._away + BLINK - asyncio.get_running_loop().time()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.available.wait(), max(left, 0))
        return self.available.is_set()

    def _look_whether_it_answers(self) -> None:
        """Tell those who wait for nothing but redis-server when it does not answer for too long."""
        now = asyncio.get_running_loop().time()
        frozen = self._asked is not None and now - self._asked > FROZEN
        if frozen and self.available.is_set():
            log.error("redis-server at %s has not answered for %d s", self.address, FROZEN)
            self._not_available()
            for client in [client for client in self.clients if client.stuck]:
                client.turn_away()
        elif not frozen and not self.available.is_set():
            log.info("redis-server at %s answers again", self.address)
            self.available.set()

    def _beat(self) -> None:
        """Say something on each connection: Redis closes those that do not, if it has a `timeout`."""
        if self._asked is not None:  # what a frozen Redis is told would pile up
            return
        self._asked = asyncio.get_running_loop().time()
        self.admin.send(self._answered, "CONFIG", "GET", *LIMITS)
        self.journal.beat()
        self.lanes.beat()
        self.notifications.barrier(lambda: None)

    def _answered(self, reply: Any) -> None:
        self._asked = None
        self.lanes.told(reply)

    async def _reconnect(self) -> asyncio.Future[Any]:
        """Connect again and recover what was left, however often that takes."""
        pause, said = _RECONNECT_PAUSE, ""
        while True:
            self._disconnect()
            await asyncio.sleep(pause)
            try:
                lost = await self._connect()
                await self._recover()
                return lost
            except BackendError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("not connected yet: %s", said)
                pause = min(pause * 2, _RECONNECT_LIMIT)

    def _disconnect(self) -> None:
        """Close what is left of the door's own connections: one that lives would tell events twice."""
        if self._admin is not None:
            self._admin.close()
        self.journal.close()
        self.notifications.close()
        self.lanes.disconnect()

    async def _recover(self) -> None:
        """Make events of intents that an earlier life, or a lost connection, left behind."""
        for intent in await self.journal.leftovers(self.address):
            release = functools.partial(self.journal.release, intent)
            await self._make_events(intent.keys)
            self.delivery.wait(intent.keys, False, release)

    async def hand_in(self, keys: Collection[bytes]) -> None:
        """Make events of keys that were written without any notification, and look at all streams."""
        await self._make_events(keys)
        self.executor.send(("rescan",))

    async def _make_events(self, keys: Collection[bytes]) -> None:
        for key in keys:
            there = await self.admin.call("EXISTS", key)
            self._recovered(key, "change" if there else "del")

    def _journal_lost(self) -> None:
        if self._bringing_back is None:
            self._bringing_back = self.loops.task("journal", self.bring_back)

    async def bring_back(self) -> None:
        """Have the journal complete again, after somebody took entries away."""
        try:
            await self.journal.bring_back(self.address)
        except BackendError as error:  # once connected again, nothing is missing
            log.warning("the journal is not complete: %s", error)
        finally:
            self._bringing_back = None

    def _recovered(self, key: bytes, name: str) -> None:
        for watch in self.interest.about(key):
            self._outbox.append(self.delivery.add(watch.id, key, name, watch.sync))
        self._flush_soon()

    @property
    def admin(self) -> Connection:
        """The door's own connection; raises BackendError when there is none."""
        if self._admin is None:
            raise BackendError("not connected to redis-server")
        return self._admin


def _when_recorded(holds: Sequence[Hold], callback: Any) -> None:
    """Call back once every intent is in Redis: the last thing that an acknowledgement needs."""
    left = len(holds)

    def one() -> None:
        nonlocal left
        left -= 1
        if not left:
            callback()

    for hold in holds:
        hold.intent.when_recorded(one)

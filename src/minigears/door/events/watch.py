"""Which writes concern a registration, the events that they cause, and who waits for their functions."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from minigears.address import Address
from minigears.commandtable import CommandTable
from minigears.door.capture.captures import Captures
from minigears.door.capture.queue import Queue
from minigears.door.capture.register import Register
from minigears.door.commands.classifier import Classifier
from minigears.door.events.crossing import Crossing
from minigears.door.events.delivery import Delivery, Event
from minigears.door.events.hold import Hold
from minigears.door.events.journal import Intent, Journal
from minigears.door.events.notifications import Notifications, enable_notifications
from minigears.door.events.overrides import Overrides
from minigears.door.events.suspects import Suspects
from minigears.door.executor import Callbacks, Executor, Settings
from minigears.door.redis import BackendError, Connection
from minigears.interest import Interest
from minigears.loops import Loops
from minigears.seal import Seal

log = logging.getLogger(__name__)

Barrier = Callable[[Callable[[], None]], None]
"""Calls back when every notification of some writes has been handled."""

_FLUSH_AGAIN = 0.1  # seconds
_PATIENCE = 2.0  # seconds that a function waits for others


class Watch:
    """What the registrations of now ask for; all that a client has to know of events."""

    def __init__(
        self, settings: Settings, captures: Mapping[bytes, Queue], queue: Queue, loops: Loops
    ):
        """Nothing is connected, and no executor runs, until `connect` and `executor.start`."""
        self.address: Address = settings.address
        self.loops = loops
        self.captures = Captures(captures)
        self.interest = Interest()
        self.table = CommandTable({})
        self.classifier = Classifier(self.table, self.interest, self.captures)
        seal = Seal(self.address.password, settings.previous_password)
        self.register = Register(captures, queue, seal, self._capture)
        self.journal = Journal(seal, self._journal_lost)
        self._bringing_back: asyncio.Task[None] | None = None
        self.delivery = Delivery()
        self.notifications = Notifications(
            self._event, lambda mark: self.executor.marks.begins(mark)
        )
        self.overrides = Overrides()
        callbacks = Callbacks(
            self._interest, self._done, self._settle, self._executor_ready, self._flush_soon
        )
        self.executor = Executor(settings, callbacks, loops)
        self.answered: set[bytes] = set()
        """Keys whose writes were answered; whoever makes sure that their notifications came takes them out."""
        self._admin: Connection | None = None
        self._outbox: list[Event] = []
        self._suspects = Suspects(self._resend, self._given_up)
        self._streams: set[bytes] = set()
        self._flushing = False

    # writes

    @property
    def crowded(self) -> bool:
        """Whether some registration has too many events on their way."""
        return bool(self.delivery.crowded)

    def record(self, keys: Collection[bytes]) -> Intent:
        """Have the journal know of keys that are about to be changed."""
        return self.journal.record(keys)

    def crossing(self) -> Crossing:
        """For writes that are going to leave together on a shared connection."""
        unsent = None if self.interest.reads_matter else self._unsent
        return Crossing(self.notifications, unsent)

    def _unsent(self, key: bytes) -> list[Event]:
        return [event for event in self._outbox if event.key == key]

    def settle(
        self, holds: Sequence[Hold], callback: Callable[[], None], barrier: Barrier | None = None
    ) -> None:
        """Call back when the synchronous functions of these writes are done, and there is room again.

        Their intents are removed when the asynchronous ones are done too. `barrier` is the one behind them, where
        they have one.
        """
        keys = {key for hold in holds for key in hold.keys}
        self.answered.update(keys)

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

        (barrier or self.notifications.barrier)(told)

    def _settle(self, number: int, keys: Collection[bytes]) -> None:
        """A function goes on once the sync functions of what it has written are done, or take too long.

        They might wait for it: for a lock that it has, or a future that it is to continue.
        """

        def answer() -> None:
            if not patience.cancelled():
                patience.cancel()
                self.executor.send(("settled", number))

        patience = asyncio.get_running_loop().call_later(_PATIENCE, answer)
        self.notifications.barrier(lambda: self.delivery.wait(keys, True, answer))

    def when_room(self, keys: Collection[bytes], callback: Callable[[], None]) -> None:
        """Call back when no registration about these keys has too many events on their way.

        A writer waits for that: it is slowed down to the pace of the functions that it causes.
        """
        about = {found.id for key in keys for found in self.interest.about(key)}
        self.delivery.when_room(about, callback)

    # events

    def _event(self, key: bytes, name: str, own: bool) -> None:
        """Redis told of an event; `own` ones were caused by a sync function."""
        if name == "xadd" and self.interest.is_stream(key):
            self._streams.add(key)
            self._flush_soon()
        if own:
            return
        for found in self.interest.watchers(key, name):
            event = self.delivery.add(found.id, key, name, found.sync)
            if not (found.commands and self.overrides.take(event)):
                self._outbox.append(event)
                self._flush_soon()

    def hand_over(self, events: Collection[Event]) -> None:
        """Send events to the executor that are on its list and were kept back."""
        for event in events:
            event.kind = b""  # what was told of it then need not hold any more
        if events:
            self._outbox.extend(events)
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

    def _capture(self, captures: Captures) -> None:
        """These are captured from now on."""
        self.captures = captures
        self.classifier = Classifier(self.table, self.interest, captures)

    # the executor

    async def _interest(self, frame: dict[str, Any]) -> None:
        self.interest = Interest.from_frame(frame)
        self.classifier = Classifier(self.table, self.interest, self.captures)
        try:
            if self.interest.needs_events:
                await enable_notifications(self.admin, self.interest.reads_matter)
            await self.notifications.watch(self.interest.subscriptions())
        except BackendError as error:  # `connect` does both once Redis is back
            log.warning("the registrations are not watched yet: %s", error)

    def _executor_ready(self) -> None:
        """Send again what the last executor did not finish.

        What was on its way to a registration that is gone goes to those that are there now: they
        may have replaced it.
        """
        known = {found.id for found in self.interest.keys}
        for event in self.delivery.outstanding():
            if event.registration not in known:
                for found in self.interest.watchers(event.key, event.name):
                    self.delivery.add(found.id, event.key, event.name, found.sync)
                self.delivery.done([event.seq])
        self._outbox.clear()
        self._flush_soon()
        outstanding = self.delivery.outstanding()
        unloaded = self.interest.unloaded
        self.hand_over(
            [e for e in outstanding if e.registration in unloaded]
        )  # they only wait there
        self._suspects.begin([e for e in outstanding if e.registration not in unloaded])

    def _resend(self, event: Event) -> None:
        self.hand_over([event])

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
        self._suspects.done(seqs)

    # redis-server

    def use(self, admin: Connection) -> None:
        """Take a connection of the door's own; the one before it is lost."""
        self._admin = admin

    async def connect(self) -> list[asyncio.Future[None]]:
        """Connect what tells of events, and the journal; the futures are done when one is lost.

        Raises:
            BackendError: redis-server refuses what is needed.
        """
        admin = self.admin
        self.table = CommandTable.from_reply(await admin.call("COMMAND"))
        await self.register.load(admin)
        self.classifier = Classifier(self.table, self.interest, self.captures)
        if self.interest.needs_events:
            await enable_notifications(admin, self.interest.reads_matter)
        journal = await self.journal.connect(self.address)
        patterns = self.interest.subscriptions()
        return [journal, await self.notifications.connect(self.address, patterns)]

    def disconnect(self) -> None:
        """Close what is left of those connections: one that lives would tell events twice."""
        if self._admin is not None:
            self._admin.close()
        self.journal.close()
        self.notifications.close()

    async def recover(self) -> None:
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
            name = "change" if await self.admin.call("EXISTS", key) else "del"
            for found in self.interest.about(key):
                self._outbox.append(self.delivery.add(found.id, key, name, found.sync))
            self._flush_soon()

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

    @property
    def admin(self) -> Connection:
        """The door's own connection; raises BackendError when there is none."""
        if self._admin is None:
            raise BackendError("not connected to redis-server")
        return self._admin


def _when_recorded(holds: Sequence[Hold], callback: Callable[[], None]) -> None:
    """Call back once every intent is in Redis: the last thing that an acknowledgement needs."""
    left = len(holds)

    def one() -> None:
        nonlocal left
        left -= 1
        if not left:
            callback()

    for hold in holds:
        hold.intent.when_recorded(one)

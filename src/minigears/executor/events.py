"""The events link: what the door tells, and what it is told. All of it on the main thread."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from minigears.executor import replies
from minigears.executor.flow import records
from minigears.executor.flow.executions import Execution
from minigears.executor.redis.calls import together
from minigears.executor.redis.connection import RedisError
from minigears.executor.redis.prefetch import Prefetch
from minigears.executor.runs import run
from minigears.executor.runs.hooks import run_hooks
from minigears.executor.script.registrations import Registration
from minigears.executor.usercode.context import OVERRIDDEN, UNSET, CommandContext
from minigears.link import Link

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

log = logging.getLogger(__name__)


class Events:
    """Runs functions for the door's frames and tells it what is done."""

    def __init__(self, gears: Gears, link: Link):
        self._gears = gears
        self._link = link
        self._done: list[int] = []
        gears.settling.ask = lambda number, keys: link.send(("settle", number, keys))

    def serve(self) -> None:
        """Serve the link until the door closes it: then raises LinkClosed."""
        hub, link = self._gears.hub, self._link
        while True:
            if hub.busy or hub.wait(link.fileno()):
                for frame in link.receive_available():
                    self._take(frame)
            hub.round()
            self._tell_done()

    def _take(self, frame: Any) -> None:
        kind = frame[0]
        if kind == "events":
            for seq, registration, key, event, told in frame[1]:
                job = functools.partial(self._event, seq, registration, key, event, told)
                self._gears.hub.submit(key, job)
        elif kind == "settled":
            self._gears.settling.settled(frame[1])
        elif kind == "streams":
            self._streams(frame[1])
        elif kind == "rescan":
            self._rescan()
        elif kind == "event":
            self._gears.hub.submit(frame[3], functools.partial(self._event_of_command, *frame[1:]))
        elif kind == "call":
            # One lane for each hook: its functions never overlap, as they do not in RedisGears.
            lane = ("call", frame[2][0])
            self._gears.hub.submit(lane, functools.partial(self._call, *frame[1:]))
        else:
            log.error("the door sent a frame that is not known: %r", kind)

    def _event(
        self, seq: int, registration_id: str, key: bytes, event: str, told: bytes = b""
    ) -> None:
        registration = self._gears.registry.get(registration_id)
        if registration is None:
            again = functools.partial(self._event, seq, registration_id, key, event)
            if self._gears.unloaded.hold(registration_id, key, again):
                return
            registration = self._gears.registry.get(registration_id)  # it was loaded just now
        if registration is None:
            self._inherited(seq, registration_id, key, event)
        elif registration.runner is not None:
            registration.runner.notify(key, lambda: self._link.send(("done", [seq])))
        elif self._fire(registration, key, event, lambda _: self._link.send(("done", [seq])), told):
            self._done.append(seq)

    def _inherited(self, seq: int, registration_id: str, key: bytes, event: str) -> None:
        """The registration was replaced, or is just gone, while the event was on its way."""
        heirs = self._gears.registry.heirs(registration_id, key, event)
        left = iter(range(len(heirs) - 1))

        def one_done(_: Any = None) -> None:
            if next(left, None) is None:
                self._link.send(("done", [seq]))

        for heir in heirs:
            if self._fire(heir, key, event, one_done):
                one_done()
        if not heirs:
            self._done.append(seq)

    def _fire(
        self,
        registration: Registration,
        key: bytes,
        event: str,
        later: run.WhenDone,
        told: bytes = b"",
    ) -> bool:
        """Run a registration for an event; false when it is not done yet, and `later` tells."""
        record, prefetch = self._read(registration, key, event, told)
        if record is None:
            return True
        if registration.sync:
            run.run_here(self._gears, registration, (record,), self._gears.hub, prefetch=prefetch)
            registration.habits.learn(event, prefetch.asked)
            return True
        run.run_in_pool(self._gears, registration, (record,), later)
        return False

    def _read(
        self, registration: Registration, key: bytes, event: str, told: bytes = b""
    ) -> tuple[Any, Prefetch]:
        """The key's record, None when keys of its type are not wanted; and what was read ahead.

        `told` is what `TYPE` has said already, if anything: where nothing else is to be read, that spares a trip.
        """
        gears, args = self._gears, registration.args
        record: Any
        rules = gears.rules
        ahead = registration.sync and not rules.misses_matter
        reads = registration.habits.reads(event, key) if ahead else []
        if not args.read_value and args.key_types is None:
            replies = gears.hub.call(together(reads, False)) if reads else []
            record = records.bare_record(key, event)
            return record, Prefetch(rules.table, key, reads, replies)
        expected, marked = registration.last_type, rules.missed(key)
        try:
            kind = records.key_type(told)
            if told and not reads and records.value_command(kind) is None:
                record, replies = records.key_record(key, event, kind, None), []
            else:
                record, replies = records.read_key(gears.hub, key, event, expected, marked, reads)
        except RedisError as error:
            log.warning("the key of an event cannot be read: %s", error)
            record, replies = records.key_record(key, event, "empty", None), []
            reads = []
        if record["type"] != "empty":
            registration.last_type = record["type"]
        if not records.is_of_type(record, args.key_types):
            record = None
        elif not args.read_value:
            record = records.bare_record(key, event)
        return record, Prefetch(rules.table, key, reads, replies)

    def _event_of_command(
        self,
        seq: int,
        registration_id: str,
        key: bytes,
        event: str,
        argv: list[bytes],
        overridden: bool = False,
    ) -> None:
        """An event whose function may override the reply of the command that caused it, if no other did."""
        gears = self._gears
        registration = gears.registry.get(registration_id)
        record = self._read(registration, key, event)[0] if registration is not None else None
        command = CommandContext(argv, OVERRIDDEN if overridden else UNSET)

        def answer(execution: Execution | None) -> None:
            own = command.reply is not UNSET and command.reply is not OVERRIDDEN
            raw = replies.encode(replies.from_value(command.reply)) if own else None
            self._link.send(("result", seq, raw))

        if registration is None or record is None:
            answer(None)
        elif registration.sync:
            answer(run.run_here(gears, registration, (record,), gears.hub, command))
        else:
            run.run_in_pool(gears, registration, (record,), answer, command)

    def _tell_done(self) -> None:
        if self._done:
            done, self._done = self._done, []
            self._link.send(("done", done))

    def _streams(self, keys: Iterable[bytes]) -> None:
        for registration in self._gears.registry.streaming:
            if registration.runner is not None:
                for key in keys:
                    registration.runner.notify(key)

    def _rescan(self) -> None:
        """Notifications may have been missed: look at the streams themselves."""
        for registration in self._gears.registry.streaming:
            if registration.runner is not None:
                registration.runner.rescan()

    def _call(
        self, seq: int, ids: list[str], argv: list[bytes], user: bytes, in_multi: bool = False
    ) -> None:
        def answer(raw: bytes | None) -> None:
            self._link.send(("result", seq, raw))

        hooks = [r for r in map(self._gears.registry.get, ids) if r is not None]
        if hooks:
            run_hooks(self._gears, hooks, argv, user, answer, in_multi)
        else:
            answer(None)

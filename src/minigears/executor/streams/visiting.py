"""A look at one stream of a registration: what is due is read, run and acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Protocol

from minigears.executor.redis.connection import BlockingConnection
from minigears.executor.stats import Stats
from minigears.executor.streams.batching import (
    Agenda,
    StreamArgs,
    StreamState,
    added_since,
    age_ms,
    batch_time,
    due_without_counting,
)
from minigears.executor.streams.delivery import End, Records, deliver
from minigears.executor.streams.group import Entry, StreamGone, StreamGroup
from minigears.executor.streams.records import to_record

Log = Callable[[str, str], None]
"""Takes a message and its level: `debug`, `verbose`, `notice` or `warning`."""


class StreamRegistration(Protocol):
    """What the runner needs of a registration."""

    id: str
    args: StreamArgs
    stats: Stats


class StreamVisitor:
    """Looks at the streams of one registration, each when it is due, on the runner's thread."""

    def __init__(
        self,
        registration: StreamRegistration,
        run_batch: Callable[[Records], None],
        log: Log,
        failed: Callable[[bytes, int, str], bool],
        looked: Callable[[bytes], None],
    ):
        """`run_batch(records)` runs the steps.

        `failed(key, count, error)` hears of a batch that failed, and returns whether its entries are
        given up; `looked(key)` of a stream of which nothing is due any more.
        """
        self._args, self._stats = registration.args, registration.stats
        self._run_batch = run_batch
        self._log = log
        self._failed = failed
        self._looked = looked
        self.agenda = Agenda()
        self._known: set[bytes] = set()
        self._running: bytes | None = None
        """The first id of the batch that runs."""
        self.started = inf
        """When the runner was started, on the monotonic clock; `inf` once it has to start over: then
        nothing that is there waits for a full batch."""
        self._redis_ahead = 0.0

    @property
    def lag_ms(self) -> float:
        """How old the batch is that runs now, in milliseconds; from any thread."""
        first_id = self._running
        return age_ms(first_id, self.now_ms()) if first_id is not None else 0.0

    def now_ms(self) -> float:
        """Redis's time, which ids of entries are made from: our wall clock may be a day off, or step."""
        return (time.monotonic() + self._redis_ahead) * 1000

    def begin(self, conn: BlockingConnection) -> None:
        """Forget all streams: they are taken up anew. Raises OSError and RedisError."""
        before = time.monotonic()
        seconds, microseconds = conn.call("TIME")
        self._redis_ahead = int(seconds) + int(microseconds) / 1e6 - before
        self._known.clear()
        self.agenda = Agenda()

    def take_up(self, key: bytes) -> None:
        """Read a stream from its beginning, if it is not read already."""
        if key not in self._known:
            self._known.add(key)
            self.agenda.put(StreamState(key, drain=True), time.monotonic())

    def touch(self, key: bytes, when: float) -> None:
        """Take note that a stream has new entries since `when`."""
        state = self.agenda.get(key) or StreamState(key, pending=key not in self._known)
        self._known.add(key)
        self.agenda.put(state, state.touch(when))

    def visit(self, conn: BlockingConnection, state: StreamState) -> None:
        """Look at one stream that is due. Raises OSError and RedisError."""
        group = StreamGroup(conn, state.key)
        try:
            if state.pending:
                self._visit_pending(group, state)
            else:
                self._visit_new(group, state)
        except StreamGone:
            self.agenda.drop(state)
            self._known.discard(state.key)
            self._looked(state.key)

    def _visit_pending(self, group: StreamGroup, state: StreamState) -> None:
        entries = group.read_pending(self._args.batch).entries
        if not state.looked and state.drain:
            state.supposed = group.length()
        if entries:
            self._deliver(group, state, entries)
        else:
            state.pending = False
            if not state.looked:
                self._count_empty()
        state.looked = True
        self.agenda.put(state, time.monotonic())

    def _visit_new(self, group: StreamGroup, state: StreamState) -> None:
        now = time.monotonic()
        if state.drain and self._args.batch > 1 and self._came_later(group):
            state.drain = False
        if not due_without_counting(state, now, self._args):
            due = self._count(group, state, now)
            if due > now:
                self._wait_for_more(state, due)
                return
        wanted = state.owed or self._args.batch
        entries, cut = group.read_new(wanted)
        more = state.read(len(entries), wanted, cut)
        if entries:
            self._deliver(group, state, entries)
        if more:
            self.agenda.put(state, time.monotonic())
        else:
            if state.supposed > 0:  # entries that stay, as they are not removed: it reads once more
                self._count_empty()
                state.supposed = 0
            self.agenda.drop(state)
            self._looked(state.key)

    def _came_later(self, group: StreamGroup) -> bool:
        """Whether all that is unread came after the start: then it waits for a full batch as ever."""
        oldest = group.first_after(group.unread(1).last_read)
        return oldest is not None and added_since(oldest, (self.started + self._redis_ahead) * 1000)

    def _count_empty(self) -> None:
        """Count a look that RedisGears counts as a run."""
        self._stats.triggered += 1
        self._stats.succeeded(0.0)

    def _count(self, group: StreamGroup, state: StreamState, now: float) -> float:
        """Count what is unread; returns when its batch is due."""
        unread = group.unread(self._args.batch)
        state.counted = now
        since = now if state.since is None else state.since
        if state.leftover and 0 < unread.entries < self._args.batch:
            oldest = group.first_after(unread.last_read)
            if oldest is not None:
                since = min(since, now - age_ms(oldest, self.now_ms()) / 1000)
            state.leftover = False
        state.since = since if unread.entries else None
        return batch_time(unread.entries, since, now, self._args)

    def _wait_for_more(self, state: StreamState, due: float) -> None:
        if state.since is None:
            self.agenda.drop(state)
        else:
            self.agenda.put(state, due)
        self._looked(state.key)

    def _deliver(self, group: StreamGroup, state: StreamState, entries: list[Entry]) -> None:
        records = [to_record(state.key, entry) for entry in entries if entry.fields is not None]
        if len(records) < len(entries):
            count = len(entries) - len(records)
            self._log(f"{count} pending entries of {state.key!r} were removed unread", "warning")
        ids = [entry.id for entry in entries]
        state.supposed -= len(entries)
        if not records or self._succeeds(state, records, ids[0]):
            group.finish(ids, self._args.trim_stream)

    def _succeeds(self, state: StreamState, records: Records, first_id: bytes) -> bool:
        """Run one batch; returns whether its entries are done with."""
        self._running = first_id
        try:
            outcome = deliver(self._run_batch, records, first_id, self._stats, self.now_ms)
        finally:
            self._running = None
        if outcome.end is End.FAILURE:
            given_up = self._failed(state.key, len(records), outcome.error)
            if not given_up:
                state.supposed = 0  # the registration stops: it reads no more
            return given_up
        if outcome.end is End.ABORT:
            state.pending = False  # or it would be delivered again at once
        return outcome.end is End.SUCCESS

"""A stream registration at work: one thread that sleeps until a stream has something to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from math import inf

from minigears.executor.redis.connection import BlockingConnection, RedisError
from minigears.executor.streams.batching import StreamState
from minigears.executor.streams.delivery import Records
from minigears.executor.streams.group import matching_streams
from minigears.executor.streams.visiting import Log, StreamRegistration, StreamVisitor
from minigears.loops import Loops

_FIRST_DELAY = 0.05  # seconds before Redis is asked again, doubled up to _LONGEST_DELAY
_LONGEST_DELAY = 2.0
_LONGEST_SLEEP = 3600.0  # seconds: a wait of years is more than a lock takes
_PREDECESSOR_SECONDS = 0.5  # between two looks whether this runner is still wanted


class ReaderStatus(str, Enum):
    """What `RG.DUMPREGISTRATIONS` shows as a stream registration's status."""

    OK = "OK"
    PAUSED = "PAUSED"
    ABORTED = "ABORTED"
    WAITING = "WAITING_FOR_RETRY_ON_FAILURE"


class StreamReaderRunner:
    """Reads the streams of one registration and runs its steps on them, batch by batch.

    One batch runs at a time, on the runner's own thread; streams take turns. An entry is delivered
    at least once: it is acknowledged after its batch has run.
    """

    def __init__(
        self,
        registration: StreamRegistration,
        conn_factory: Callable[[], BlockingConnection],
        run_batch: Callable[[Records], None],
        log: Log,
        loops: Loops,
    ):
        """`run_batch(records)` runs the steps.

        What it raises is a failure, but for ForceStopped: that is an abort, which leaves the
        entries pending until the next start. A failure whose text starts with PAUSE pauses.
        """
        self._registration = registration
        self._args = registration.args
        self._connect = conn_factory
        self._log = log
        self._visitor = StreamVisitor(
            registration, run_batch, log, self._settle_failure, self._tell
        )
        self._wake = threading.Condition()
        self._status = ReaderStatus.OK
        self._stopping = False
        self._again = False
        self._retry_at = 0.0
        self._touched: dict[bytes, float] = {}
        self._asked: dict[bytes, list[Callable[[], None]]] = {}
        """Called after the next look at each stream, and those that the look leads to."""
        self._told: dict[bytes, list[Callable[[], None]]] = {}
        """The same, for looks that are on their way."""
        self._failed_connects = 0
        self._predecessors: Sequence[StreamReaderRunner] = ()
        name = f"stream-{registration.id}"
        self._thread = threading.Thread(
            target=lambda: loops.run(name, self._run), name=name, daemon=True
        )

    @property
    def lag_ms(self) -> float:
        """How old the batch is that runs now, in milliseconds: a function that hangs shows here."""
        return self._visitor.lag_ms

    @property
    def status(self) -> ReaderStatus:
        """What the registration is doing; from any thread."""
        return self._status

    def start(self, after: Sequence[StreamReaderRunner] = ()) -> None:
        """Take up every stream that matches, what is pending first. To be called once.

        It begins when those of `after` have ended: they have been told to stop, and the batch that
        they may still write is pending, so that reading it too would write it twice, and the older
        version perhaps last.
        """
        self._predecessors = after
        self._visitor.started = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Start no more batches. A batch that runs is finished and acknowledged: see `join`."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds until the thread has ended; returns whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def notify(self, key: bytes, then: Callable[[], None] | None = None) -> None:
        """Say that a stream may have new entries. Cheap, from any thread, for any key.

        `then` is called once every batch that is full by now has run, or none is going to.
        """
        with self._wake:
            works = (
                self._status is ReaderStatus.OK and not self._stopping and self._args.matches(key)
            )
            if works and key not in self._touched:
                self._touched[key] = time.monotonic()
                self._wake.notify()
            if works and then is not None:
                self._asked.setdefault(key, []).append(then)
        if then is not None and not works:
            then()

    def pause(self) -> None:
        """Start no more batches until `unpause`; an aborted registration stays aborted."""
        with self._wake:
            if self._status in (ReaderStatus.OK, ReaderStatus.WAITING):
                self._status = ReaderStatus.PAUSED
                self._wake.notify()

    def unpause(self) -> None:
        """Start over from what is pending; one that runs goes on as it was."""
        with self._wake:
            if self._status is ReaderStatus.OK:
                return
            self._status = ReaderStatus.OK
        self.rescan()

    def rescan(self) -> None:
        """Look at every stream again: notifications may have been missed."""
        with self._wake:
            self._again = True
            self._wake.notify()

    def _run(self) -> None:
        for predecessor in self._predecessors:
            while not self._stopping and not predecessor.join(_PREDECESSOR_SECONDS):
                pass
        while self._may_work():
            try:
                self._work()
            except (OSError, RedisError) as error:
                self._back_off(error)
            except BaseException as error:  # the loop begins anew, and somebody should know
                self._registration.stats.last_error = f"the reader failed: {error!r}"
                self._tell_all()
                raise
        self._tell_all()

    def _tell(self, key: bytes) -> None:
        """This stream has been looked at, to the end."""
        for then in self._told.pop(key, ()):
            then()

    def _tell_all(self) -> None:
        """Nothing more is going to happen: nobody need wait."""
        with self._wake:
            waiting = [*self._asked.values(), *self._told.values()]
            self._asked, self._told = {}, {}
        for then in [then for several in waiting for then in several]:
            then()

    def _may_work(self) -> bool:
        with self._wake:
            while not self._stopping:
                if self._status is ReaderStatus.WAITING and time.monotonic() >= self._retry_at:
                    self._status = ReaderStatus.OK
                if self._status is ReaderStatus.OK:
                    return True
                self._tell_all()
                waiting = self._status is ReaderStatus.WAITING
                self._sleep(self._retry_at - time.monotonic() if waiting else inf)
            return False

    def _work(self) -> None:
        conn = self._connect()
        try:
            self._again = False
            self._visitor.begin(conn)
            for key in matching_streams(conn, self._args.prefix):
                if not self._goes_on():
                    return
                self._visitor.take_up(key)
            while self._goes_on():
                state = self._next()
                if state is not None:
                    self._visitor.visit(conn, state)
                    self._connected()
        finally:
            self._visitor.started = inf
            conn.close()

    def _goes_on(self) -> bool:
        return self._status is ReaderStatus.OK and not self._stopping and not self._again

    def _next(self) -> StreamState | None:
        """A stream to look at now; if none is due, sleep until one may be."""
        with self._wake:
            if not self._touched and self._goes_on():
                self._sleep(self._visitor.agenda.next_time() - time.monotonic())
            touched, self._touched = self._touched, {}
            for key, then in self._asked.items():
                self._told.setdefault(key, []).extend(then)
            self._asked = {}
        for key, when in touched.items():
            self._visitor.touch(key, when)
        return self._visitor.agenda.pop(time.monotonic()) if self._goes_on() else None

    def _settle_failure(self, key: bytes, count: int, text: str) -> bool:
        """Do what the policy says; returns whether the entries are given up."""
        policy = self._args.on_failed_policy
        with self._wake:
            if text.startswith("PAUSE"):
                self._status = ReaderStatus.PAUSED
            elif self._status is ReaderStatus.OK and policy == "abort":
                self._status = ReaderStatus.ABORTED
            elif self._status is ReaderStatus.OK and policy == "retry":
                self._status = ReaderStatus.WAITING
                self._retry_at = time.monotonic() + self._args.on_failed_retry_interval
            given_up = self._status is ReaderStatus.OK
            outcome = "entries are dropped" if given_up else f"status is {self._status.value}"
        self._log(f"a batch of {count} of {key!r} failed, {outcome}: {text}", "warning")
        return given_up

    def _sleep(self, seconds: float) -> None:
        """Sleep until something happens, with the lock held."""
        if seconds > 0:
            self._wake.wait(min(seconds, _LONGEST_SLEEP))

    def _connected(self) -> None:
        if self._failed_connects:
            self._log(f"registration {self._registration.id} reads from Redis again", "notice")
            self._failed_connects = 0

    def _back_off(self, error: Exception) -> None:
        if not self._failed_connects:
            self._log(f"registration {self._registration.id} cannot read: {error}", "warning")
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2**self._failed_connects)
        self._failed_connects = min(self._failed_connects + 1, 10)
        with self._wake:
            self._wake.wait_for(lambda: self._stopping, delay)

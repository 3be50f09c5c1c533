"""Executions: one run of a flow each, kept until they are dropped or too many."""

from __future__ import annotations

import ctypes
import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from minigears.executor import replies
from minigears.executor.errors import ForceStopped
from minigears.executor.flow.operations import Run
from minigears.executor.flow.steps import READ_STEP, Step
from minigears.executor.ids import SHARD, to_id, to_number
from minigears.executor.usercode import interrupt

_CHECKPOINTS = 100
"""Turns of a loop within which Python surely raises what another thread has sent."""


_changing = threading.Lock()
"""Held for the moment in which an execution's state changes; one for all, as it is for so short."""


class Execution:
    """One run: its state, what came out, how long it took. Times are in milliseconds."""

    __slots__ = (
        "_on_done",
        "_shares_thread",
        "_thread",
        "_torn",
        "abandoned",
        "abort_asked",
        "aborted",
        "errors",
        "number",
        "read_ms",
        "registration",
        "results",
        "status",
        "steps",
        "total_ms",
        "waits_for",
    )

    def __init__(self, number: int, steps: Sequence[Step], registration: str | None = None):
        self.number = number
        self.steps = steps
        self.registration = registration
        self.status = "created"
        self.results: list[Any] = []
        self.errors: list[str] = []
        self.total_ms = 0.0
        self.read_ms = 0.0
        self.aborted = False
        self.abort_asked = False
        self.abandoned = False
        """It waited for a value that comes later when it was aborted."""
        self.waits_for: Future[Any] | None = None
        self._thread: int | None = None
        self._torn = False
        self._shares_thread = False
        self._on_done: list[Callable[[Execution], None]] = []

    @property
    def id(self) -> str:
        """The id that commands use."""
        return to_id(self.number)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in ("done", "aborted")

    def run(self, run: Run, records: Iterable[Any]) -> None:
        """Run in this thread, from which `abort` may tear it; then tell those who wait.

        One that was aborted while it waited for its turn has ended, and does nothing.
        """
        if self.done:
            return
        started = time.perf_counter()
        parts = [self._enter, lambda: self._run(run, records), self._leave, self._leave]
        while parts:
            try:
                while parts:
                    parts.pop(0)()
            except ForceStopped as error:  # it hit our own code, between two calls of the user's
                run.fail(error)
        self.total_ms = (time.perf_counter() - started) * 1000
        if not self.done:
            self.aborted = run.aborted
            self.finish(run.errors)

    def begin(self) -> None:
        """It runs now, in a thread that it shares with others; `finish` has to follow."""
        self._shares_thread = True
        self.status = "running"
        if self.abort_asked:  # this very moment
            interrupt.stop(self)

    def finish(self, errors: list[str]) -> None:
        """Mark as ended and tell those who wait."""
        with _changing:
            interrupt.ended(self)
            self.errors = errors
            self.status = "aborted" if self.abandoned else "done"
        self._tell()

    def _tell(self) -> None:
        waiting, self._on_done = self._on_done, []
        for callback in waiting:
            callback(self)

    def when_done(self, callback: Callable[[Execution], None]) -> None:
        """Call back once it has ended, at once if it has."""
        with _changing:
            if not self.done:
                self._on_done.append(callback)
                return
        callback(self)

    def abort(self) -> None:
        """Raise `gears.forcestopped` in it; one that has not begun ends now, without running."""
        with _changing:
            if self.done:
                return
            self._stop()
        if self.status == "aborted":
            self._tell()

    def _stop(self) -> None:
        self.abort_asked = True
        if self.status == "created":
            self.aborted, self.status = True, "aborted"
        elif self._shares_thread:
            if self.waits_for is None or not self.waits_for.cancel():
                interrupt.stop(self)
        elif self._thread is None:
            self.aborted = True
        elif not self._torn and (self.waits_for is None or not self.waits_for.cancel()):
            self._torn = True
            _raise_in(self._thread, ForceStopped)

    def _run(self, run: Run, records: Iterable[Any]) -> None:
        if not self.aborted:
            self.results = run.results(self.steps, records)

    def _enter(self) -> None:
        with _changing:
            if self.aborted:
                raise ForceStopped
            self.status = "running"
            self._thread = threading.get_ident()

    def _leave(self) -> None:
        """From here on no abort comes; one that is on its way hits here, not the next execution.

        It may hit before the thread is forgotten, so this is done twice.
        """
        with _changing:
            self._thread = None
        for _ in range(_CHECKPOINTS if self._torn else 0):
            pass

    # what commands show

    def reply(self) -> list[list[Any]]:
        """Results and errors."""
        return replies.results_and_errors(self.results, self.errors)

    def plan(self) -> list[Any]:
        """The reply of `RG.GETEXECUTION`."""
        kinds = [READ_STEP, *(part for step in self.steps for part in step.describe())][::-1]
        steps = [
            ["type", kind, "duration", 0, "name", name, "arg", arg] for kind, name, arg in kinds
        ]
        plan = ["status", self.status, "shards_received", 0, "shards_completed", 0]
        plan += ["results", len(self.results) if self.done else -1, "errors", list(self.errors)]
        plan += ["total_duration", int(self.total_ms), "read_duration", int(self.read_ms)]
        return [["shard_id", SHARD, "execution_plan", [*plan, "steps", steps]]]


class ExecutionLog:
    """Executions that can still be asked about, from any thread."""

    def __init__(self, limit: Callable[[], int], limit_per_registration: Callable[[], int]):
        self._limit = limit
        self._limit_per_registration = limit_per_registration
        self._numbers = itertools.count()
        self._all: dict[int, Execution] = {}
        self._kept: OrderedDict[int, None] = OrderedDict()
        """Those that count, the oldest first: not those that make room as soon as they end."""
        self._by_registration: dict[str, deque[int]] = {}
        self._lock = threading.Lock()

    def new(
        self, steps: Sequence[Step], registration: str | None = None, keep: bool = True
    ) -> Execution:
        """A new execution; the oldest ones that are done make room for it."""
        execution = Execution(next(self._numbers), steps, registration)
        if keep:
            with self._lock:
                self._keep(execution)
        return execution

    def keep(self, execution: Execution) -> None:
        """List one that was not kept: it goes on to wait, and may be asked about and aborted."""
        with self._lock:
            if execution.number not in self._all:
                self._keep(execution)

    def skip_one(self) -> None:
        """Use one id up, as RedisGears does where it tells its shards of a change."""
        next(self._numbers)

    def get(self, execution_id: str) -> Execution | None:
        """The execution of this id, unless it was dropped."""
        number = to_number(execution_id)
        return None if number is None else self._all.get(number)

    def drop(self, execution: Execution) -> None:
        """Forget one."""
        self._all.pop(execution.number, None)
        self._kept.pop(execution.number, None)

    def ended(self, execution: Execution) -> None:
        """One of a registration has ended: those beyond its limit, which did not make room before, go.

        It goes itself when its registration has gone before.
        """
        mine = self._by_registration.get(execution.registration or "")
        if mine is None and execution.registration is not None:
            self.drop(execution)
        elif mine is not None and 0 < self._limit_per_registration() < len(mine):
            with self._lock:
                self._shrink(mine, self._limit_per_registration())

    def drop_registration(self, registration: str) -> None:
        """Forget all of a registration that is gone, but for what still runs."""
        with self._lock:
            for number in self._by_registration.pop(registration, ()):
                if number in self._all and self._all[number].done:
                    self.drop(self._all[number])

    def of_registration(self, registration: str) -> list[Execution]:
        """Those of a registration that are still kept."""
        with self._lock:
            numbers = list(self._by_registration.get(registration, ()))
        return [self._all[n] for n in numbers if n in self._all]

    def __iter__(self) -> Iterator[Execution]:
        """All of them, the newest first."""
        return iter(list(reversed(self._all.values())))

    def _keep(self, execution: Execution) -> None:
        self._all[execution.number] = execution
        if execution.registration is not None:
            mine = self._by_registration.setdefault(execution.registration, deque())
            mine.append(execution.number)
            self._shrink(mine, self._limit_per_registration())
        self._kept[execution.number] = None
        limit = self._limit()
        while 0 < limit < len(self._kept):
            number, _ = self._kept.popitem(last=False)
            if (oldest := self._all.get(number)) is not None:
                oldest.when_done(self.drop)  # at once, if it has ended

    def _shrink(self, numbers: deque[int], limit: int) -> None:
        """Forget the oldest that are done; where many are not, a look at two a time is enough.

        A limit that is not positive is none.
        """
        unfinished = 0 if limit > 0 else 2
        while len(numbers) > limit and unfinished < 2:
            number = numbers.popleft()
            oldest = self._all.get(number)
            if oldest is None or oldest.done:
                self._all.pop(number, None)
                self._kept.pop(number, None)
            else:
                numbers.append(number)
                unfinished += 1


def _raise_in(thread: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))

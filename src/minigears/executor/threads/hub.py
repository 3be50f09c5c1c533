"""The main thread's scheduler: jobs in greenlets, their calls to Redis sent together.

Jobs of one lane run one after another; jobs of different lanes overlap at their calls. A round
runs everything that can run, then sends all calls as one pipeline and waits for its replies.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from minigears.executor.redis import busy
from minigears.executor.redis.apart import Apart
from minigears.executor.redis.calls import AtomicGate, BlockingCaller, Call
from minigears.executor.redis.connection import BlockingConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

Job = Callable[[], None]

_MAX_OVERLAP = 512
"""Greenlets at once; further lanes wait until one is free."""


class Hub:
    """Runs jobs in the thread that makes it; raises OSError when Redis has gone."""

    def __init__(
        self, connect: Callable[[], BlockingConnection], gate: AtomicGate, blocking: BlockingCaller
    ):
        """`connect` may raise OSError, in `wait` too, when a lost connection must not be renewed."""
        self._connect = connect
        self._connection = connect()
        self._gate = gate
        self._blocking = blocking
        self._thread = threading.get_ident()
        self._home: Any = getcurrent()
        self._lanes: dict[Hashable, deque[Job]] = {}
        self._fresh: deque[Hashable] = deque()
        self._idle: list[greenlet] = []
        self._workers = 0
        self._pending: list[tuple[greenlet, Call]] = []
        self._resumable: deque[tuple[greenlet, Any]] = deque()
        self._exclusive: Any = None
        self._lane_of: dict[greenlet, Hashable] = {}
        """The lane that each greenlet works on."""
        self._waiting: set[greenlet] = set()
        """Those that wait for a future; their lanes go on without them."""
        self._woken: deque[greenlet] = deque()
        self._posted: deque[tuple[Hashable, Job]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poll = select.poll()
        for waited in (self._wake_read, self._connection.fileno()):
            self._poll.register(waited, select.POLLIN)

    @property
    def here(self) -> bool:
        """Whether this is the hub's thread."""
        return threading.get_ident() == self._thread

    @property
    def at_home(self) -> bool:
        """Whether this is the hub's thread, and no job: nobody may wait here."""
        return self.here and getcurrent() is self._home

    @property
    def busy(self) -> bool:
        """Whether there is something to run or to wait for."""
        return bool(self._fresh or self._resumable or self._pending or self._posted or self._woken)

    def submit(self, lane: Hashable, job: Job) -> None:
        """Queue a job, from the hub's own thread; it must not raise."""
        jobs = self._lanes.get(lane)
        if jobs is None:
            self._lanes[lane] = deque((job,))
            self._fresh.append(lane)
        else:
            jobs.append(job)

    def post(self, lane: Hashable, job: Job) -> None:
        """Queue a job from any thread."""
        self._posted.append((lane, job))
        self._wake()

    def wait_for(self, future: Future[Any]) -> Any:
        """Wait for a future inside a job; other jobs go on, those of its own lane, too."""
        if not self.here or getcurrent() is self._home:
            return future.result()
        me: Any = getcurrent()
        self._leave_lane(me)
        self._waiting.add(me)
        future.add_done_callback(lambda _: self._resume_later(me))
        loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        self._home.switch()
        asyncio._set_running_loop(loop)
        return future.result()

    def _resume_later(self, worker: greenlet) -> None:
        self._woken.append(worker)
        self._wake()

    def _leave_lane(self, worker: greenlet) -> None:
        lane = self._lane_of.pop(worker, None)
        if lane is None:
            return
        if self._lanes[lane]:
            self._fresh.append(lane)
        else:
            del self._lanes[lane]

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full of wake-ups still to be read
            os.write(self._wake_write, b"x")

    def wait(self, fd: int) -> bool:
        """Wait until `fd` can be read or a job is posted; tells whether `fd` can be read.

        A connection that Redis closes meanwhile is renewed; raises OSError when that fails.
        """
        redis = self._connection.fileno()
        self._poll.register(fd, select.POLLIN)
        ready = {which for which, _ in self._poll.poll()}
        if redis in ready and not self._connection.alive():
            self._poll.unregister(redis)
            self._connection.close()
            self._connection = self._connect()
            self._poll.register(self._connection.fileno(), select.POLLIN)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        return fd in ready

    def round(self) -> None:
        """Run what can run, then make one round trip for all calls that wait."""
        while self._posted:
            self.submit(*self._posted.popleft())
        while self._woken:
            worker = self._woken.popleft()
            self._waiting.discard(worker)
            self._resumable.append((worker, None))
        self._run_all()
        if self._pending:
            self._exchange()

    def call(self, call: Call) -> Any:
        """Send a call of the running job and wait for its reply while other jobs go on."""
        if not self.here:
            return self._blocking.call(call)
        self._pending.append((getcurrent(), call))
        loop = asyncio._get_running_loop()  # one that the job runs is no business of other jobs
        if loop is None:
            return self._home.switch()
        asyncio._set_running_loop(None)
        reply = self._home.switch()
        asyncio._set_running_loop(loop)
        return reply

    def apart(self) -> AbstractContextManager[Apart]:
        """A connection for calls whose replies are taken later; whoever waits for them keeps all jobs waiting."""
        return self._blocking.apart()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other job of the hub run until the block ends."""
        outer, self._exclusive = self._exclusive, getcurrent()
        try:
            yield
        finally:
            self._exclusive = outer

    def _run_all(self) -> None:
        while True:
            if self._exclusive is not None:
                if not self._resume_exclusive():
                    return
            elif self._resumable:
                worker, value = self._resumable.popleft()
                worker.switch(value)
            elif self._fresh and (self._idle or self._workers - len(self._waiting) < _MAX_OVERLAP):
                self._worker().switch()
            else:
                return

    def _resume_exclusive(self) -> bool:
        for i, (worker, value) in enumerate(self._resumable):
            if worker is self._exclusive:
                del self._resumable[i]
                worker.switch(value)
                return True
        return False

    def _worker(self) -> greenlet:
        if self._idle:
            return self._idle.pop()
        self._workers += 1
        return greenlet(self._work, self._home)

    def _work(self) -> None:
        me: Any = getcurrent()
        while True:
            while self._fresh:
                self._run_lane(self._fresh.popleft())
            self._idle.append(me)
            self._home.switch()

    def _run_lane(self, lane: Hashable) -> None:
        me: Any = getcurrent()
        jobs = self._lanes[lane]
        self._lane_of[me] = lane
        while jobs:
            job = jobs.popleft()
            try:
                job()
            except Exception:
                log.exception("a job failed")
            if me not in self._lane_of:  # it has waited, and another one has taken the lane
                return
        del self._lane_of[me]
        del self._lanes[lane]

    def _exchange(self) -> None:
        pending, self._pending = self._pending, []
        self._gate.wait()
        self._connection.send(b"".join([call.data for _, call in pending]))
        for worker, call in pending:
            result = call.result(self._connection.read_many(call.replies))
            if busy.is_refused_for_now(result):
                self._pending.append((worker, call))
            else:
                self._resumable.append((worker, result))
        if self._pending:
            busy.pause()

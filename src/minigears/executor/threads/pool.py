"""Threads for what must not run on the main thread: async functions and batch runs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

log = logging.getLogger(__name__)

_IDLE_SECONDS = 10.0

Job = Callable[[], None]


class Pool:
    """Runs jobs in the order given, at most `size` at once.

    A job that waits for something in `blocked()` gives its place to another meanwhile. Jobs of the
    same lane begin one after another: each when the one before has ended or, where they may `pass`, waits.
    """

    def __init__(self, size: int):
        self._size = size
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._lanes: dict[str, deque[Job]] = {}
        self._here = threading.local()
        """`lane`: what this thread runs the jobs of, as long as those have to wait for it."""
        self._active = 0
        self._idle = 0
        """Threads that have no job, those included that are just being started."""

    def submit(self, job: Job, lane: str | None = None, may_pass: bool = False) -> None:
        """Queue a job; it must not raise. All jobs of a lane say the same of `may_pass`."""
        with self._changed:
            if lane is None:
                self._jobs.append(job)
            elif lane in self._lanes:
                self._lanes[lane].append(job)
                return
            else:
                self._lanes[lane] = deque((job,))
                self._jobs.append(lambda: self._run_lane(lane, may_pass))
            self._have_threads()

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Around a wait inside a job."""
        with self._changed:
            self._active -= 1
            self._leave_lane()
            self._have_threads()
        aborted = False
        try:
            yield
        except CancelledError:  # it has little left to do, and somebody waits for its end
            aborted = True
            raise
        finally:
            with self._changed:
                self._changed.wait_for(lambda: aborted or self._active < self._size)
                self._active += 1

    def _have_threads(self) -> None:
        """See that there is a thread for each job that may run now."""
        self._changed.notify_all()  # those that wait to go on after `blocked` look too
        while self._idle < min(len(self._jobs), self._size - self._active):
            threading.Thread(target=self._work, name="minigears-worker", daemon=True).start()
            self._idle += 1

    def _leave_lane(self) -> None:
        """The job of this thread waits: another thread runs what comes behind it in its lane."""
        lane, self._here.lane = getattr(self._here, "lane", None), None
        if lane is not None and self._lanes[lane]:
            self._jobs.append(lambda: self._run_lane(lane, may_pass=True))
        elif lane is not None:
            del self._lanes[lane]

    def _run_lane(self, lane: str, may_pass: bool) -> None:
        while True:
            with self._changed:
                jobs = self._lanes[lane]
                if not jobs:
                    del self._lanes[lane]
                    self._here.lane = None  # the thread's next job may have none
                    return
                job = jobs.popleft()
            self._here.lane = lane if may_pass else None
            _run(job)
            if may_pass and self._here.lane is None:  # it has waited, and left the lane
                return

    def _work(self) -> None:
        while job := self._next():
            _run(job)
            with self._changed:
                self._active -= 1
                self._idle += 1
                self._changed.notify_all()

    def _next(self) -> Job | None:
        with self._changed:
            got = self._changed.wait_for(
                lambda: self._jobs and self._active < self._size, _IDLE_SECONDS
            )
            self._idle -= 1
            if not got:
                return None
            self._active += 1
            return self._jobs.popleft()


def _run(job: Job) -> None:
    try:
        job()
    except BaseException:  # the thread has a place in the pool, and has to give it back
        log.exception("a job failed")

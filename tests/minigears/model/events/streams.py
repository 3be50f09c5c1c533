"""Stream registrations as the specification has them: batches, failures, retries, pauses, what stays in the stream.

Where RedisGears's documentation is silent, this is what holds, by its source and as recorded:

* The first look at a stream counts as a run, though nothing is pending. (RedisGears takes all that is pending at
  once, minigears in batches.)
* What was there when a registration began does not wait for a full batch; what came later waits for one, or
  for the `duration`.
* The records before one that fails have gone through all steps, those behind it through none.
* What comes to a registration that has stopped waits in the stream. To pause it then changes nothing.
* A registration starts over by a retry, by an unpause, and where another one took its place: it looks again.
* To unpause one that runs changes nothing.
* How many entries are left is supposed from the stream's length at the first look. So without trimming it looks
  once more than it had to.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

ERRORS = {"bad": "ZeroDivisionError", "pause": "PAUSE for now", "flaky": "not yet"}
"""Values that make a function fail, and with what."""
SCRIPT = """
{coroutine}def f(x):
    value = x['value']['f']
    execute('RPUSH', 'log:{n}', x['id'] + ' ' + value)
    if execute('EXISTS', 'well:{n}'): return
    if value == 'bad': raise ZeroDivisionError('ZeroDivisionError')
    if value == 'pause': flat_error('PAUSE for now')
    if value == 'flaky' and int(execute('DECR', 'fails:{n}')) >= 0: flat_error('not yet')
GB('StreamReader').foreach(f).register('s:{n}', batch={batch}, mode='{mode}', duration={duration},
    onFailedPolicy='{policy}', onFailedRetryInterval=0, trimStream={trim})
"""


@dataclass
class Kept:
    """A stream and its group: what outlives a registration."""

    number: int
    entries: list[tuple[str, str]] = field(default_factory=list)
    """Ids and values of what is in the stream."""
    pending: list[tuple[str, str]] = field(default_factory=list)
    """What was delivered and not acknowledged."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    exists: bool = False
    """It does once something was added, though nothing may be left."""
    well: bool = False
    fails: int = 0

    def add(self, entry: str, value: str) -> None:
        """XADD."""
        self.exists = True
        self.entries.append((entry, value))
        self.unread.append((entry, value))


@dataclass
class Stream:
    """A StreamReader registration. Time passes after each command, so a batch that waits for its duration runs then."""

    kept: Kept
    batch: int
    mode: str
    policy: str
    trim: bool
    duration: int
    """Milliseconds."""
    coroutine: bool
    known: bool = False
    supposed: int = 0
    """Entries that are supposed to be left."""
    in_batch: int = 0
    """Entries of the batch that fills up."""
    clocked: list[bool] = field(default_factory=list)
    """For each batch to come whether it is known when it began."""
    timer: bool = False
    status: str = "OK"
    triggered: int = 0
    success: int = 0
    failures: int = 0
    last_error: str | None = None

    @classmethod
    def made(cls, rng: random.Random, kept: Kept) -> Stream:
        """Any one."""
        mode = rng.choice(["sync", "async", "async_local"])
        policy = "continue" if mode == "sync" else rng.choice(["Continue", "ABORT", "retry"])
        coroutine = rng.random() < 0.3  # one that fails does not stop those behind it in its batch
        batch = 1 if coroutine else rng.randrange(1, 4)
        duration = rng.choice([0, 0, 10])
        return cls(kept, batch, mode, policy, rng.random() < 0.6, duration, coroutine)

    @property
    def name(self) -> str:
        """The stream's key."""
        return f"s:{self.kept.number}"

    def source(self) -> str:
        """The script that registers it."""
        given = {"n": self.kept.number, "batch": self.batch, "mode": self.mode}
        given |= {"coroutine": "async " * self.coroutine, "duration": self.duration}
        return SCRIPT.format(**given, policy=self.policy, trim=self.trim)

    def add(self, entry: str, value: str) -> None:
        """XADD."""
        self.kept.add(entry, value)
        if self.status != "OK":
            return
        if not self.known:
            self._look(clocked=True)
        else:
            self.supposed += 1
            self.in_batch += 1
            if self.in_batch == 1:
                self.clocked.append(True)
            self.in_batch %= self.batch
            if self.supposed >= self.batch:
                self._run(self.kept.unread[: self.batch])
            else:
                self.timer = self.duration > 0
        self._time_passes()

    def start(self) -> None:
        """It begins, or starts over."""
        self.status = "OK"
        if self.kept.exists:
            self._look(clocked=False)
        self._time_passes()

    def pause(self) -> None:
        """RG.PAUSEREGISTRATIONS."""
        if self.status == "OK":
            self._stop("PAUSED")

    def unpause(self) -> None:
        """RG.UNPAUSEREGISTRATIONS."""
        if self.status != "OK":
            self.start()

    def clear(self) -> None:
        """RG.CLEARREGISTRATIONSSTATS."""
        self.triggered = self.success = self.failures = 0
        self.last_error = None

    def _look(self, clocked: bool) -> None:
        self.known, self.timer, self.in_batch = True, False, 0
        self.supposed = len(self.kept.entries)
        self.clocked = [clocked] * -(-self.supposed // self.batch)
        goes_on = self._runs_on(self.kept.pending[: self.batch], first=True)
        while goes_on and self.kept.pending:
            goes_on = self._runs_on(self.kept.pending[: self.batch], first=True)
        if goes_on:
            self._another(some=True)

    def _time_passes(self) -> None:
        while self.timer:
            self.timer, self.in_batch = False, 0
            self._run(self.kept.unread[: self.batch])

    def _stop(self, status: str) -> None:
        self.status, self.known, self.timer = status, False, False

    def _run(self, batch: list[tuple[str, str]]) -> None:
        """Run one batch, and those behind it that do not wait."""
        if self._runs_on(batch):
            self._another(bool(batch))

    def _runs_on(self, batch: list[tuple[str, str]], first: bool = False) -> bool:
        """Run one batch: whether it goes on from there. `first`: the look at what is pending."""
        kept = self.kept
        self.triggered += 1
        if not first:
            del kept.unread[: len(batch)]
            kept.pending += batch
        failed = self._records(batch)
        if failed is None:
            self.success += 1
            self.last_error = None
        else:
            self.failures += 1
            self.last_error = ERRORS[failed]
        if failed == "pause" or (failed and self.policy == "ABORT"):
            self._stop("PAUSED" if failed == "pause" else "ABORTED")
            return False
        if failed and self.policy == "retry":
            self._stop("WAITING_FOR_RETRY_ON_FAILURE")
            self.start()
            return False
        if not first and self.clocked:
            self.clocked.pop(0)
        elif not first:
            self.supposed = len(kept.entries)
        self.supposed = max(0, self.supposed - len(batch))
        kept.pending = [entry for entry in kept.pending if entry not in batch]
        if self.trim:
            kept.entries = [entry for entry in kept.entries if entry not in batch]
        return True

    def _another(self, some: bool) -> None:
        """Run the next batch, if it does not wait."""
        if not self.supposed:
            return
        if not some and self.in_batch == 0:
            self.supposed = 0
        elif self.supposed >= self.batch:
            self._run(self.kept.unread[: self.batch])
        elif not (self.clocked and self.clocked[0]):
            self.in_batch = 0
            self._run(self.kept.unread[: self.batch])
        else:
            self.timer = self.duration > 0

    def _records(self, batch: list[tuple[str, str]]) -> str | None:
        """What the function makes of them: the value that failed."""
        for entry, value in batch:
            self.kept.log.append(f"{entry} {value}")
            if self.kept.well or value == "v":
                continue
            if value == "flaky":
                self.kept.fails -= 1
            if value != "flaky" or self.kept.fails >= 0:
                return value
        return None

    def shown(self) -> dict[str, Any]:
        """What can be seen of it."""
        return {
            "numTriggered": self.triggered,
            "numSuccess": self.success,
            "numFailures": self.failures,
            "numAborted": 0,
            "status": self.status,
            "failed": self.last_error,
            "entries": [entry for entry, _ in self.kept.entries],
            "pending": len(self.kept.pending),
            "log": self.kept.log,
            "args": [
                *(self.batch, self.duration, self.name, int(self.trim)),
                *(self.policy.lower(), 0),
            ],
        }

"""Stream registrations as the specification has them: batches, failures, what stays in the stream.

Where RedisGears's documentation is silent, this is what holds:

* Without a `duration` entries wait until a batch is full.
* The records before one that fails have gone through all steps, those behind it through none.
* The first look at a stream counts as a run, though nothing is pending, as recorded.
* What comes to a registration that has stopped waits in the stream.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

FAILURES = {"bad": "1 / 0", "pause": "flat_error('PAUSE for now')"}
"""Values that make a function fail, and how."""
ERRORS = {"bad": "ZeroDivisionError", "pause": "PAUSE for now"}
SCRIPT = """
def f(x):
    execute('RPUSH', 'log:{n}', x['id'] + ' ' + x['value']['f'])
    if x['value']['f'] == 'bad': {bad}
    if x['value']['f'] == 'pause': {pause}
GB('StreamReader').foreach(f).register('s:{n}', batch={batch}, mode='{mode}',
    onFailedPolicy='{policy}', trimStream={trim})
"""


@dataclass
class Stream:
    """A StreamReader registration and its stream, which is its own."""

    number: int
    batch: int
    mode: str
    policy: str
    trim: bool
    entries: list[str] = field(default_factory=list)
    """Ids of what is in the stream."""
    waiting: list[tuple[str, str]] = field(default_factory=list)
    """Ids and values of entries whose batch has not run yet."""
    pending: int = 0
    log: list[str] = field(default_factory=list)
    status: str = "OK"
    triggered: int = 0
    failures: int = 0
    last_error: str | None = None

    @classmethod
    def made(cls, rng: random.Random, number: int) -> Stream:
        """Any one."""
        mode, policy = (
            rng.choice(["sync", "async", "async_local"]),
            rng.choice(["Continue", "ABORT"]),
        )
        policy = "continue" if mode == "sync" else policy
        return cls(number, rng.randrange(1, 4), mode, policy, rng.random() < 0.6)

    @property
    def name(self) -> str:
        """The stream's key."""
        return f"s:{self.number}"

    def source(self) -> str:
        """The script that registers it."""
        given = {"n": self.number, "batch": self.batch, "mode": self.mode}
        return SCRIPT.format(**given, policy=self.policy, trim=self.trim, **FAILURES)

    def add(self, entry: str, value: str) -> None:
        """XADD."""
        self.triggered += not self.entries and not self.log  # the look at what is pending
        self.entries.append(entry)
        self.waiting.append((entry, value))
        while len(self.waiting) >= self.batch and self.status == "OK":
            self._run(self.waiting[: self.batch])

    def _run(self, batch: list[tuple[str, str]]) -> None:
        self.triggered += 1
        failed = None
        for entry, value in batch:
            self.log.append(f"{entry} {value}")
            failed = value if value in ERRORS else None
            if failed:
                break
        self.failures += failed is not None
        self.last_error = ERRORS[failed] if failed else None
        if failed == "pause":
            self.status = "PAUSED"
        elif failed and self.policy == "ABORT":
            self.status = "ABORTED"
        if self.status != "OK":
            self.pending = len(batch)
            return
        del self.waiting[: self.batch]
        if self.trim:
            self.entries = [e for e in self.entries if e not in dict(batch)]

    def shown(self) -> dict[str, Any]:
        """What can be seen of it."""
        return {
            "numTriggered": self.triggered,
            "numSuccess": self.triggered - self.failures,
            "numFailures": self.failures,
            "status": self.status,
            "failed": self.last_error,
            "entries": self.entries,
            "pending": self.pending,
            "log": self.log,
            "args": [self.batch, 0, self.name, int(self.trim), self.policy.lower(), 1],
        }

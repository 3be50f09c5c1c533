"""A write-behind of a few lines in memory, with bugs to plant: what a judge must find. Deterministic.

One thread, one random source: clients, Redis, the queue, the workers and the database take turns as
a seed says. Each bug is one that people ship. With disasters Redis loses what it may: a stranger flushes
it, or the power is cut and the last turns are gone. With a replica it dies, and the replica takes over.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from tests.histories.verdict.durability import FLUSH, POWER, SUCCEED
from tests.histories.verdict.history import (
    NEVER,
    Change,
    Document,
    Fault,
    History,
    Kind,
    Operation,
    Outcome,
)
from tests.histories.verdict.model import Impossible, apply
from tests.histories.world.operations import Request, requests

KINDS = set(Kind) - {Kind.RENAME}

WINDOW = 10.0
"""Turns that a power cut may take back."""

_A_SECOND = 50.0
"""Turns, for what expires."""


class Bug(Enum):
    """What may be planted."""

    NONE = "none"
    ACKNOWLEDGE_ON_READ = "the worker acknowledges before the database has committed"
    NO_FENCE = "a worker that was replaced still overwrites what is newer"
    MAXLEN = "the stream is trimmed to a length"
    FOUR_CONSUMERS = "four consumers share one stream"
    NO_TOMBSTONE = "a delete leaves nothing that outlives it"
    PERSIST_FORGOTTEN = "what was persisted expires all the same"
    FLUSH_DELETES = "what a stranger flushed from Redis is deleted from the database, too"
    LOSES_MORE = "a power cut takes more than Redis has promised to keep"
    TORN_APART = "a power cut takes the entry and leaves the document"
    WITHOUT_WAIT = "a write is acknowledged before a replica has it"


DISASTROUS = frozenset({Bug.FLUSH_DELETES, Bug.LOSES_MORE, Bug.TORN_APART})
"""The bugs that show in a disaster only."""

REPLICATED = frozenset({Bug.WITHOUT_WAIT})
"""The bugs that show only where a replica takes over."""


@dataclass(frozen=True)
class Turn:
    """One turn: what happens, at which moment, with which chances; a request where one is made."""

    what: str
    at: float
    seed: int
    request: Request | None = None


@dataclass(frozen=True)
class _Entry:
    version: int
    key: str
    document: Document | None


@dataclass(frozen=True)
class _Disk:
    """What Redis would be after a power cut: all that it was at one moment."""

    at: float
    documents: dict[str, Document]
    due: dict[str, float]
    queue: list[_Entry]


class Simulation:
    """One run. Times are the numbers of turns."""

    def __init__(
        self,
        seed: int,
        bug: Bug = Bug.NONE,
        clients: int = 3,
        steps: int = 120,
        disasters: bool = False,
        replicated: bool = False,
    ):
        self._draws = random.Random(f"simulation {seed}")
        self._chance = random.Random()  # of the turn that is taken
        self._request: Request | None = None
        self._bug = bug
        self._now = 0.0
        self._disasters = disasters or bug in DISASTROUS
        self._replicated = replicated or bug in REPLICATED
        self._redis: dict[str, Document] = {}
        self._due: dict[str, float] = {}
        self._disks = [_Disk(-NEVER, {}, {}, [])]
        self._copied = 0  # which of them the replica is
        self._queue: deque[_Entry] = deque()
        self._batches: list[list[_Entry]] = []  # taken by workers, not yet written
        self._version = 0
        self._database: dict[str, tuple[int, Document | None]] = {}
        self._open: dict[int, Operation] = {}  # invoked, not ended, by client
        self._requests = requests(seed, clients, "k:", KINDS)
        self._waiting: dict[int, deque[Request]] = {n: deque() for n in range(clients)}
        self._left = steps
        self.turns: list[Turn] = []
        self.history = History(notes={"window": WINDOW if self._disasters else 0.0})

    def run(self, turns: Sequence[Turn] | None = None) -> History:
        """Take turns until every request is made, or these; then let the workers finish."""
        for turn in self._drawn() if turns is None else turns:
            self._now, self._request = turn.at, turn.request
            self._chance = random.Random(turn.seed)
            getattr(self, f"_{turn.what}")()
        self.history.operations += self._open.values()
        while self._queue or self._batches or self._due:
            self._now += 1
            self._sweep()
            self._take()
            self._write()
        self.history.redis = dict(self._redis)
        self.history.database = {k: d for k, (_, d) in self._database.items() if d is not None}
        self.history.operations.sort(key=lambda operation: operation.number)
        return self.history

    def _drawn(self) -> Iterator[Turn]:
        """Yield turns as the seed says, and keep them."""
        weights = {"invoke": 30.0, "answer": 30, "take": 15, "write": 20, "crash": 3, "sweep": 10}
        if self._disasters:
            weights |= {"flush": 0.3, "power_cut": 0.7}
        if self._replicated:
            weights |= {"copy": 5.0, "succeed": 1.0}
        while self._left or self._open:
            [what] = self._draws.choices(list(weights), list(weights.values()))
            request = next(self._requests) if what == "invoke" and self._left else None
            self.turns.append(Turn(what, self._now + 1, self._draws.getrandbits(32), request))
            yield self.turns[-1]

    def _invoke(self) -> None:
        request = self._request
        if request is None or request.client in self._open:
            return
        self._left -= 1
        self._open[request.client] = Operation(
            request.number, request.client, request.kind, request.key, request.value, self._now
        )

    def _answer(self) -> None:
        if not self._open:
            return
        client = self._chance.choice(sorted(self._open))
        operation = self._open.pop(client)
        outcome = Outcome.ACKNOWLEDGED
        if self._chance.random() < 0.1:  # the connection is cut before it, or after it
            outcome = Outcome.UNKNOWN
        result = None
        if outcome is Outcome.ACKNOWLEDGED or self._chance.random() < 0.5:
            try:
                result = self._do(operation)
            except Impossible:
                outcome = Outcome.REFUSED
        if outcome is Outcome.ACKNOWLEDGED and self._bug is not Bug.WITHOUT_WAIT:
            self._copy()
        ended = {"left" if outcome is Outcome.UNKNOWN else "ended": self._now}
        self.history.operations.append(replace(operation, outcome=outcome, result=result, **ended))

    def _do(self, operation: Operation) -> object:
        if operation.kind is Kind.READ:
            return self._redis.get(operation.key)
        if operation.kind in (Kind.EXPIRE, Kind.PERSIST):
            self._time(operation)
        else:
            self._redis = dict(apply(self._redis, operation))
            self._capture(operation.key)
        if operation.kind is Kind.INCREMENT:
            return self._redis[operation.key]["n"]
        return None

    def _time(self, operation: Operation) -> None:
        """Let a document expire, or not. Raises Impossible."""
        if operation.kind is Kind.EXPIRE:
            if operation.key not in self._redis:
                raise Impossible
            self._due[operation.key] = self._now + operation.value * _A_SECOND
        elif operation.key not in self._due:
            raise Impossible
        elif self._bug is not Bug.PERSIST_FORGOTTEN:
            del self._due[operation.key]
        self._save()

    def _capture(self, key: str) -> None:
        """Queue what has become of a document."""
        self._version += 1
        document = self._redis.get(key)
        if document is None:
            self._due.pop(key, None)
        self._queue.append(_Entry(self._version, key, document))
        if self._bug is Bug.MAXLEN and len(self._queue) > 8:
            self._queue.popleft()
        self._save()

    def _save(self) -> None:
        pending = [entry for batch in self._batches for entry in batch]
        disk = _Disk(self._now, dict(self._redis), dict(self._due), [*pending, *self._queue])
        self._disks.append(disk)

    def _sweep(self) -> None:
        """Delete one document whose time has come."""
        for key in [key for key, at in self._due.items() if at <= self._now][:1]:
            del self._due[key], self._redis[key]
            self._capture(key)

    def _copy(self) -> None:
        """The replica has all that there is."""
        self._copied = len(self._disks) - 1

    def _flush(self) -> None:
        """A stranger's FLUSHALL."""
        self.history.faults.append(Fault(self._now, self._now, FLUSH, "redis"))
        self._redis, self._due = {}, {}
        self._queue.clear()
        self._disks, self._copied = [_Disk(-NEVER, {}, {}, [])], 0
        if self._bug is Bug.FLUSH_DELETES:
            for key in list(self._database):
                self._capture(key)

    def _power_cut(self) -> None:
        """Redis is what it was some turns ago; a worker still has its batch."""
        self.history.faults.append(Fault(self._now, self._now, POWER, "redis"))
        oldest = max(n for n, disk in enumerate(self._disks) if disk.at < self._now - WINDOW)
        if self._bug is Bug.LOSES_MORE:
            oldest = max(0, oldest - 10)
        self._become(self._chance.choice(self._disks[oldest:]))

    def _succeed(self) -> None:
        """The master dies, and is what its replica had."""
        self.history.faults.append(Fault(self._now, self._now, SUCCEED, "redis"))
        self._become(self._disks[self._copied])

    def _become(self, disk: _Disk) -> None:
        if self._bug is not Bug.TORN_APART:
            self._redis, self._due = dict(disk.documents), dict(disk.due)
        self._queue = deque(disk.queue)
        self._disks, self._copied = [replace(disk, at=-NEVER)], 0  # there is no way back past this

    def _take(self) -> None:
        """A worker reads a batch. Without the bug there is one at a time for the partition."""
        several = 4 if self._bug is Bug.FOUR_CONSUMERS else 1
        if self._queue and len(self._batches) < several:
            size = min(len(self._queue), self._chance.randrange(1, 6))
            self._batches.append([self._queue.popleft() for _ in range(size)])

    def _write(self) -> None:
        if not self._batches:
            return
        batch = self._batches.pop(self._chance.randrange(len(self._batches)))
        for entry in batch:
            self._apply(entry)

    def _apply(self, entry: _Entry) -> None:
        version, document = self._database.get(entry.key, (0, None))
        fenced = self._bug not in (Bug.NO_FENCE, Bug.FOUR_CONSUMERS)
        if self._bug is Bug.NO_TOMBSTONE and document is None:
            version = 0  # nothing is left that knows
        if fenced and entry.version <= version:
            return
        if document != entry.document:
            self.history.changes.append(Change(self._now, entry.key, entry.document))
        self._database[entry.key] = (entry.version, entry.document)

    def _crash(self) -> None:
        """A worker dies, or sleeps past its lease: its batch is delivered again, or comes late."""
        if not self._batches:
            return
        batch = self._batches.pop()
        self.history.faults.append(Fault(self._now, self._now, "SIGKILL", "worker"))
        if self._bug is Bug.ACKNOWLEDGE_ON_READ:
            return
        self._queue.extendleft(reversed(batch))  # the successor reads what is pending first
        if self._bug is not Bug.FOUR_CONSUMERS and self._chance.random() < 0.5:
            self._late(batch)

    def _late(self, batch: list[_Entry]) -> None:
        """Let the successor write, and then the one that was thought dead."""
        for _ in range(self._chance.randrange(1, 4)):
            self._now += 1
            self._take()
            self._write()
        self._now += 1
        for entry in batch:
            self._apply(entry)

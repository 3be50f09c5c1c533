"""A write-behind of a few lines in memory, with bugs to plant: what a judge must find. Deterministic.

One thread, one random source: clients, Redis, the queue, the workers and the database take turns as
a seed says. Each bug is one that people ship. With disasters Redis loses what it may: a stranger flushes
it, or the power is cut and the last turns are gone. With a replica it dies, and the replica takes over. With
a clock that goes back the versions that a power cut took are given once more.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.histories.shrinking.bugs import DISASTROUS, REPLICATED, SET_BACK, Bug
from tests.histories.verdict.durability import BEHIND, FLUSH, POWER, SUCCEED
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
"""Turns that a power cut may take back; four times as many where it sets the clock back, too."""

_A_SECOND = 50.0
"""Turns, for what expires."""

_IN_A_TURN = 100
"""Versions that could be given in one turn."""


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
    version: int = 0


@dataclass(frozen=True)
class _Batch:
    """What a worker has taken, and how often Redis had gone back by then."""

    entries: list[_Entry]
    since: int


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
        set_back: bool = False,
    ):
        self._draws = random.Random(f"simulation {seed}")
        self._chance = random.Random()  # of the turn that is taken
        self._request: Request | None = None
        self._bug = bug
        self._now = 0.0
        self._disasters = disasters or bug in DISASTROUS
        self._replicated = replicated or bug in REPLICATED
        self._set_back = set_back or bug in SET_BACK
        self._redis: dict[str, Document] = {}
        self._due: dict[str, float] = {}
        self._disks = [_Disk(-NEVER, {}, {}, [])]
        self._copied = 0  # which of them the replica is
        self._queue: deque[_Entry] = deque()
        self._batches: list[_Batch] = []  # taken by workers, not yet written
        self._version = 0
        self._is_behind = False
        self._went_back = 0  # times
        self._database: dict[str, tuple[int, Document | None]] = {}
        self._open: dict[int, Operation] = {}  # invoked, not ended, by client
        self._requests = requests(seed, clients, "k:", KINDS)
        self._waiting: dict[int, deque[Request]] = {n: deque() for n in range(clients)}
        self._left = steps
        self.turns: list[Turn] = []
        self._window = 4 * WINDOW if self._set_back else WINDOW if self._disasters else 0.0
        self.history = History(notes={"window": self._window})

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
        if self._set_back:
            weights |= {"power_cut_and_clock_back": 1.0}
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
        self._version = max(self._version + 1, self._clock())
        document = self._redis.get(key)
        if document is None:
            self._due.pop(key, None)
        self._queue.append(_Entry(self._version, key, document))
        if self._bug is Bug.MAXLEN and len(self._queue) > 8:
            self._queue.popleft()
        self._save()

    def _clock(self) -> int:
        """What versions are given by, as long as it goes forward."""
        return 0 if self._is_behind else int(self._now * _IN_A_TURN)

    def _save(self) -> None:
        ours = [batch for batch in self._batches if batch.since == self._went_back]
        waiting = [*(entry for batch in ours for entry in batch.entries), *self._queue]
        documents, due = dict(self._redis), dict(self._due)
        self._disks.append(_Disk(self._now, documents, due, waiting, self._version))

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
        self._lose_the_last_turns(POWER)

    def _power_cut_and_clock_back(self) -> None:
        """The same, and versions go on from what is left."""
        self._lose_the_last_turns(BEHIND)
        self._version, self._is_behind = self._disks[-1].version, True

    def _lose_the_last_turns(self, what: str) -> None:
        self.history.faults.append(Fault(self._now, self._now, what, "redis"))
        oldest = max(n for n, disk in enumerate(self._disks) if disk.at < self._now - self._window)
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
        self._went_back += 1
        self._disks, self._copied = [replace(disk, at=-NEVER)], 0  # there is no way back past this

    def _take(self) -> None:
        """A worker reads a batch. Without the bug there is one at a time for the partition."""
        several = 4 if self._bug is Bug.FOUR_CONSUMERS else 1
        if self._queue and len(self._batches) < several:
            size = min(len(self._queue), self._chance.randrange(1, 6))
            taken = [self._queue.popleft() for _ in range(size)]
            self._batches.append(_Batch(taken, self._went_back))

    def _write(self) -> None:
        if not self._batches:
            return
        batch = self._batches.pop(self._chance.randrange(len(self._batches)))
        for entry in batch.entries:
            self._apply(entry)
        newest = max(self._database.get(entry.key, (0, None))[0] for entry in batch.entries)
        if newest > self._version and self._bug is not Bug.FORGETFUL:
            self._go_on(newest, batch)

    def _go_on(self, newest: int, batch: _Batch) -> None:
        """The last that waits of each key comes again, newer than what the database has."""
        if batch.since == self._went_back:
            self._queue.extendleft(reversed(batch.entries))
        last = {entry.key: entry for entry in self._queue}
        self._queue = deque(entry for entry in self._queue if entry is last[entry.key])
        self._version = newest
        for _ in range(len(self._queue)):
            self._version += 1
            self._queue.append(replace(self._queue.popleft(), version=self._version))
        self._save()

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
        if batch.since == self._went_back:
            self._queue.extendleft(reversed(batch.entries))  # the successor reads these first
        if self._bug is not Bug.FOUR_CONSUMERS and self._chance.random() < 0.5:
            self._late(batch)

    def _late(self, batch: _Batch) -> None:
        """Let the successor write, and then the one that was thought dead."""
        for _ in range(self._chance.randrange(1, 4)):
            self._now += 1
            self._take()
            self._write()
        self._now += 1
        for entry in batch.entries:
            self._apply(entry)

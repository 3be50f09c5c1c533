"""What a wall clock that steps may change, and nothing else. Pure.

* A worker's, a door's: nothing. Leases, ages, versions and what is remembered go by other clocks.
* Redis's: when a document expires, by which nothing else may be lost. One that was told to expire while
  the clock was ahead does so when the right time has come there, which may be a day later.
* The database's: how long it remembers what was deleted. A step of a day or more makes it forget, and
  a write that comes late may then bring a document back, as it was before it was deleted.

Versions only grow and every write is in its order, whichever clock steps.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.histories.verdict.durability import REDIS
from tests.histories.verdict.history import Change, Fault, History, Kind, Operation, Outcome

STEP = "the clock steps"
"""What history calls a clock that was set, and set right again."""

REMEMBERED = 24 * 3600.0
"""Seconds for which recipes remember what was deleted."""

DATABASE = "database"


def steps(history: History, part: str) -> list[Fault]:
    """Return each step of the clocks of parts whose names begin so."""
    return [f for f in history.faults if f.what == STEP and f.part.startswith(part)]


def late_expiries(history: History) -> int:
    """Return how many documents may be going to expire when all is calm."""
    ahead = [step for step in steps(history, REDIS) if step.by > 0]
    asked = [o for o in history.operations if o.kind is Kind.EXPIRE and _done(o)]
    return len({o.key for o in asked if any(_within(o, step) for step in ahead)})


def revived(history: History) -> Iterator[tuple[str, Fault]]:
    """Yield each key that came back after it was deleted and may have, with the step that made it be forgotten."""
    for step in steps(history, DATABASE):
        if abs(step.by) < REMEMBERED:
            continue
        for key in sorted(history.database.keys() - history.redis.keys()):
            deleted = any(_removes(o, key) and o.invoked < step.until for o in history.operations)
            changes = sorted((c for c in history.changes if c.key == key), key=lambda c: c.at)
            if deleted and _came_back(changes, step):
                yield key, step


def _came_back(changes: list[Change], step: Fault) -> bool:
    """Whether the last change brought back, after a step had begun, what had been there before."""
    if len(changes) < 2 or changes[-1].at < step.at:
        return False
    *before, gone, last = changes
    return gone.document is None and last.document in [c.document for c in before]


def _within(operation: Operation, step: Fault) -> bool:
    return operation.invoked <= step.until and operation.ended >= step.at


def _removes(operation: Operation, key: str) -> bool:
    kinds = (Kind.DELETE, Kind.EXPIRE, Kind.RENAME)
    return operation.key == key and operation.kind in kinds and _done(operation)


def _done(operation: Operation) -> bool:
    return operation.outcome is not Outcome.REFUSED

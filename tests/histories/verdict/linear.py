"""Is there an order of the operations that explains what was seen? Pure.

A search after Wing and Gong (1993), with Lowe's memory of places already tried (2017): operations
are put in an order, one at a time, never one before another that had ended when it began. What the
database held of a key, one change after another, has to appear among the states of that order in
the same sequence: later than it was written, but never backwards. And both ends have to agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import Enum

from tests.histories.verdict.history import NEVER, Change, Kind, Operation, Outcome
from tests.histories.verdict.model import Impossible, State, apply

BUDGET = 200_000
"""Places that a search may try before it gives up."""


class Verdict(Enum):
    """What a search says."""

    EXPLAINED = "there is an order that explains it"
    NO_ORDER = "no order of the operations explains it"
    TOO_LARGE = "there are too many orders to try"


def must(operation: Operation) -> bool:
    """Whether an operation has to be in every order; the moment of an expiry is nobody's promise."""
    return operation.outcome is Outcome.ACKNOWLEDGED and operation.kind is not Kind.EXPIRE


def explain(
    operations: Sequence[Operation],
    changes: Sequence[Change],
    end: State | None,
    begin: State | None = None,
    budget: int = BUDGET,
) -> Verdict:
    """Search an order of `operations` whose states pass through `changes` and stop at `end`.

    With None for the end the order may go on and stop anywhere.

    All are of keys that belong together. An acknowledged operation has to be in the order; one of
    unknown outcome, and the moment of an expiry, may be; a refused one is not.
    """
    return _Search(operations, changes, end, budget).run(begin or {})


Place = tuple[int, tuple[int, ...], State]
"""The operations that are done, as bits; how many changes of each key are explained; the documents."""


class _Search:
    def __init__(
        self,
        operations: Sequence[Operation],
        changes: Sequence[Change],
        end: State | None,
        budget: int,
    ):
        done = [o for o in operations if o.outcome is not Outcome.REFUSED]
        self._operations = sorted(done, key=lambda o: (o.invoked, o.ended))
        self._needed = sum(1 << i for i, o in enumerate(self._operations) if must(o))
        keys = sorted({change.key for change in changes})
        self._changes = [[c for c in changes if c.key == key] for key in keys]
        self._all_seen = tuple(map(len, self._changes))
        self._end = None if end is None else _text(end)
        self._budget = budget

    def run(self, begin: State) -> Verdict:
        tried: set[tuple[int, tuple[int, ...], str]] = set()
        nothing = (0,) * len(self._changes)
        stack: list[Place] = [(0, self._seen(nothing, begin, -NEVER), begin)]
        while stack:
            done, seen, state = stack.pop()
            text = _text(state)
            if (done, seen, text) in tried:
                continue
            tried.add((done, seen, text))
            if len(tried) > self._budget:
                return Verdict.TOO_LARGE
            if seen == self._all_seen and self._ends(done, text):
                return Verdict.EXPLAINED
            # Tried first: what has to be done, the earliest before the others.
            further = list(self._next(done, seen, state))
            further.sort(key=lambda place: bool(place[0] & ~done & self._needed))
            stack += further
        return Verdict.NO_ORDER

    def _ends(self, done: int, text: str) -> bool:
        return self._end is None or (text == self._end and not self._needed & ~done)

    def _next(self, done: int, seen: tuple[int, ...], state: State) -> Iterator[Place]:
        """Yield the places one operation further on, the latest first."""
        left = [(i, o) for i, o in enumerate(self._operations) if not done >> i & 1]
        horizon = min((o.ended for _, o in left if must(o)), default=NEVER)
        for i, operation in reversed(left):
            if operation.invoked > horizon:
                continue
            try:
                after = apply(state, operation)
            except Impossible:
                continue
            yield done | 1 << i, self._seen(seen, after, operation.invoked), after

    def _seen(self, seen: tuple[int, ...], state: State, since: float) -> tuple[int, ...]:
        """Return how many changes of each key are explained once the order reaches `state`."""
        return tuple(
            self._further(changes, n, state, since)
            for changes, n in zip(self._changes, seen, strict=True)
        )

    @staticmethod
    def _further(changes: Sequence[Change], n: int, state: State, since: float) -> int:
        while n < len(changes):
            change = changes[n]
            if change.at < since or state.get(change.key) != change.document:
                break
            n += 1
        return n


def _text(state: State) -> str:
    return json.dumps(state, sort_keys=True)

"""Is there an order of the operations that explains what was seen? Pure.

A search after Wing and Gong (1993), with Lowe's memory of places already tried (2017): operations
are put in an order, one at a time, never one before another that had ended when it began. What the
database held of a key, one change after another, has to appear among the states of that order in
the same sequence: later than it was written, but never backwards. And both ends have to agree.

A fault that takes Redis back is a step of the order, too. What it took may have reached the database
or not; until a key is written again, the database may hold something else of it than Redis, or come to
what Redis holds: what waited comes again, and may be newer then than what was lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.histories.verdict.durability import Rewind, tried_again
from tests.histories.verdict.history import NEVER, Change, Kind, Operation, Outcome
from tests.histories.verdict.model import Impossible, State, apply

BUDGET = 200_000
"""Places that a search may try before it gives up."""


class Verdict(Enum):
    """What a search says."""

    EXPLAINED = "there is an order that explains it"
    NO_ORDER = "no order of the operations explains it"
    TOO_LARGE = "there are too many orders to try"


@dataclass(frozen=True)
class End:
    """What the two stores hold in the end. Redis is asked only where it may have gone back."""

    database: State
    redis: State | None = None


def must(operation: Operation) -> bool:
    """Whether an operation has to be in every order; the moment of an expiry is nobody's promise."""
    return operation.outcome is Outcome.ACKNOWLEDGED and operation.kind is not Kind.EXPIRE


def explain(
    operations: Sequence[Operation],
    changes: Sequence[Change],
    end: End | None,
    rewinds: Sequence[Rewind] = (),
    budget: int = BUDGET,
) -> Verdict:
    """Search an order of `operations` whose states pass through `changes` and stop at `end`.

    With None for the end the order may go on and stop anywhere.

    All are of keys that belong together. An acknowledged operation has to be in the order; one of
    unknown outcome, and the moment of an expiry, may be; a refused one is not.
    """
    concerned = [r for r in rewinds if any(r.may_take(o) for o in operations)]
    return _Search(operations, changes, end, concerned, budget).run()


@dataclass(frozen=True)
class _Redis:
    """Redis at one place of an order: its documents, and the keys of which the database may hold others."""

    documents: State
    apart: frozenset[str] = frozenset()
    flushed: frozenset[str] = frozenset()
    """Those of them that nothing is left of, in the queue neither."""

    def text(self) -> str:
        places = [self.documents, sorted(self.apart), sorted(self.flushed)]
        return json.dumps(places, sort_keys=True)


@dataclass(frozen=True)
class _Place:
    """The steps that are done, as bits; how many changes of each key are explained; Redis.

    `kept` is where the next fault takes Redis back to, once something happens that it takes.
    """

    done: int
    seen: tuple[int, ...]
    redis: _Redis
    kept: _Place | None = None


@dataclass(frozen=True)
class _Step:
    """An operation, or a fault that takes Redis back."""

    what: Operation | Rewind
    needed: bool
    begin: float
    end: float
    calls_off: int = 0
    """What cannot happen once this has, as bits."""


class _Search:
    def __init__(
        self,
        operations: Sequence[Operation],
        changes: Sequence[Change],
        end: End | None,
        rewinds: Sequence[Rewind],
        budget: int,
    ):
        self._steps = _steps(operations, rewinds)
        self._needed = sum(1 << i for i, step in enumerate(self._steps) if step.needed)
        self._expiries = sum(1 << i for i, step in enumerate(self._steps) if _expires(step.what))
        self._keys = sorted({key for operation in operations for key in operation.keys})
        changed = sorted({change.key for change in changes})
        self._changes = [[c for c in changes if c.key == key] for key in changed]
        self._all_seen = tuple(map(len, self._changes))
        self._causes = [[self._before(change) for change in each] for each in self._changes]
        self._last = {c[-1].key: c[-1].document for c in self._changes}
        self._end, self._budget = end, budget

    def run(self) -> Verdict:
        tried: set[object] = set()
        nothing = _Redis({})
        seen = self._seen((0,) * len(self._changes), nothing, -NEVER)
        stack = [_Place(0, seen, nothing)]
        while stack:
            place = stack.pop()
            if (known := self._known(place)) in tried:
                continue
            tried.add(known)
            if len(tried) > self._budget:
                return Verdict.TOO_LARGE
            if place.seen == self._all_seen and self._ends(place):
                return Verdict.EXPLAINED
            if not self._open(place):
                continue
            # Tried first: what has to be done, the earliest before the others.
            further = list(self._next(place))
            further.sort(key=lambda after: bool(after.done & ~place.done & self._needed))
            stack += further
        return Verdict.NO_ORDER

    def _known(self, place: _Place) -> object:
        """What tells one place from another."""
        kept = place.kept and (place.kept.redis.text(), place.kept.done & self._expiries)
        return place.done, place.seen, place.redis.text(), kept

    def _before(self, change: Change) -> int:
        """The steps that may have caused a change, as bits."""
        return sum(
            1 << i
            for i, step in enumerate(self._steps)
            if step.begin <= change.at and _changes(step.what, change.key)
        )

    def _open(self, place: _Place) -> bool:
        """Whether each change that comes next may still be explained."""
        left = ~place.done | (self._expiries if place.kept else 0)
        return all(
            n == len(causes) or causes[n] & left
            for n, causes in zip(place.seen, self._causes, strict=True)
        )

    def _ends(self, place: _Place) -> bool:
        if self._end is None:
            return True
        if self._needed & ~place.done:
            return False
        documents, apart = place.redis.documents, place.redis.apart
        database = {
            key: self._last.get(key) if key in apart else documents.get(key) for key in self._keys
        }
        redis = self._end.redis
        return all(self._end.database.get(k) == document for k, document in database.items()) and (
            redis is None or all(redis.get(k) == documents.get(k) for k in self._keys)
        )

    def _next(self, place: _Place) -> Iterator[_Place]:
        """Yield the places one step further on, the latest first."""
        left = [(i, step) for i, step in enumerate(self._steps) if not place.done >> i & 1]
        horizon = min((step.end for _, step in left if step.needed), default=NEVER)
        coming = next((step.what for _, step in left if isinstance(step.what, Rewind)), None)
        for i, step in reversed(left):
            if step.begin > horizon:
                continue
            done = place.done | 1 << i | step.calls_off
            if isinstance(step.what, Rewind):
                if place.kept is not None:  # what expired, or was not to expire, since then
                    done &= ~self._expiries | place.kept.done
                redis, kept = self._back(place, step.what), [None]
            else:
                redis, kept = self._forth(place, step.what), _kept(place, step.what, coming)
            if redis is not None:
                seen = self._seen(place.seen, redis, step.begin)
                yield from (_Place(done, seen, redis, each) for each in kept)

    @staticmethod
    def _forth(place: _Place, operation: Operation) -> _Redis | None:
        """Redis after an operation, None where it is impossible."""
        try:
            documents = apply(place.redis.documents, operation)
        except Impossible:
            return None
        written = operation.keys if operation.queued else ()
        before = place.redis
        return _Redis(
            documents, before.apart.difference(written), before.flushed.difference(written)
        )

    def _back(self, place: _Place, rewind: Rewind) -> _Redis:
        """Redis after a fault that took it back."""
        if rewind.to_nothing:
            return _Redis({}, frozenset(self._keys), frozenset(self._keys))
        if place.kept is None:
            return place.redis
        before, since = place.kept.redis, place.done & ~place.kept.done
        lost = [step.what for i, step in enumerate(self._steps) if since >> i & 1]
        written = {key for o in lost if isinstance(o, Operation) and o.queued for key in o.keys}
        return _Redis(before.documents, before.apart | written, before.flushed)

    def _seen(self, seen: tuple[int, ...], redis: _Redis, since: float) -> tuple[int, ...]:
        """Return how many changes of each key are explained once the order reaches this."""
        return tuple(
            self._further(changes, n, redis, since)
            for changes, n in zip(self._changes, seen, strict=True)
        )

    @staticmethod
    def _further(changes: Sequence[Change], n: int, redis: _Redis, since: float) -> int:
        while n < len(changes):
            change = changes[n]
            other = redis.documents.get(change.key) != change.document
            if change.at < since or other or change.key in redis.flushed:
                break
            n += 1
        return n


def _kept(place: _Place, operation: Operation, coming: Rewind | None) -> list[_Place | None]:
    """What the coming fault may take Redis back to after an operation; nothing where that cannot be."""
    losable = coming is not None and not coming.to_nothing and coming.may_take(operation)
    if place.kept is not None:
        return [place.kept] if losable or not operation.writes else []
    return [place, None] if losable and operation.writes else [None]


def _steps(operations: Sequence[Operation], rewinds: Sequence[Rewind]) -> list[_Step]:
    """What an order is made of, by its beginning."""
    done = [o for o in operations if o.outcome is not Outcome.REFUSED]
    again = [pair for operation in operations for pair in tried_again(operation, rewinds)]
    items: list[Operation | Rewind] = [*done, *(twin for twin, _ in again), *rewinds]
    bounds = [_bounds(item) for item in items]
    order = sorted(range(len(items)), key=lambda n: bounds[n])
    place = {n: 1 << i for i, n in enumerate(order)}
    before = {len(done) + n: rewind for n, (_, rewind) in enumerate(again)}

    def calls_off(n: int) -> int:
        return sum(
            place[m]
            for m, other in enumerate(items)
            if before.get(m) is items[n] or _calls_off(items[n], other)
        )

    return [
        _Step(items[n], isinstance(items[n], Rewind) or must(items[n]), *bounds[n], calls_off(n))
        for n in order
    ]


def _bounds(item: Operation | Rewind) -> tuple[float, float]:
    if isinstance(item, Rewind):
        return item.at, item.until
    return item.invoked, item.ended


def _calls_off(item: Operation | Rewind, other: Operation | Rewind) -> bool:
    """Whether an expiry that had been asked for cannot come any more after this."""
    if not isinstance(other, Operation) or not _expires(other):
        return False
    if isinstance(item, Rewind):
        return item.to_nothing and other.ended < item.at
    return item.kind is Kind.PERSIST and item.key == other.key and other.ended < item.invoked


def _changes(item: Operation | Rewind, key: str) -> bool:
    if isinstance(item, Rewind):  # back to what the database had before
        return not item.to_nothing
    return key in item.keys


def _expires(item: Operation | Rewind) -> bool:
    return isinstance(item, Operation) and item.kind is Kind.EXPIRE

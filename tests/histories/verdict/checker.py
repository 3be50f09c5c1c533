"""Decides from a history alone what a recipe lost, and says which write it was and why that may not be.

Each rule in `rules` looks for one kind of loss. What no rule finds, the search in `linear` does: it
knows only what the operations mean, and what `durability` says that a fault may take. What a clock that
steps may change stands in `clocks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.histories.verdict import linear
from tests.histories.verdict.clocks import late_expiries
from tests.histories.verdict.durability import rewinds
from tests.histories.verdict.history import Change, History, Operation, families
from tests.histories.verdict.rules import (
    RULES,
    Finding,
    forgotten,
    lost_as_stated,
    refused_once,
)

__all__ = ["BLIND", "LATE", "Finding", "Goals", "judge", "losses", "out_of_time"]

BLIND = "the judge sees what happens"
"""The rule about the judge itself. Where it is broken nothing is known: neither a loss nor that there is none."""
LATE = "lag and depth return below their goals"
UNDECIDED = "the judge comes to a verdict"
_OF_TIME = {LATE, BLIND, UNDECIDED}
"""The rules that a busy machine breaks without anybody losing anything."""


@dataclass(frozen=True)
class Goals:
    """What depth (entries) and age (seconds) have to be below at the end of a run."""

    depth: int = 0
    oldest: float = 0.0


def judge(history: History, goals: Goals | None = None) -> list[Finding]:
    """Return every broken promise, at most one a rule and key; an empty list for a good run."""
    stored = _held_to_promises(history)
    found = [finding for rule in RULES for finding in _first_of_each_key(rule(stored))]
    found += _first_of_each_key(refused_once(history))
    found += [*_calm(history, goals or Goals()), *_blind(history)]
    told = {finding.key for finding in found}
    return found + [f for f in _unexplained(stored) if f.key not in told]


def out_of_time(findings: Iterable[Finding]) -> bool:
    """Whether these are no loss, but may be a machine's that has much else to do."""
    return {finding.rule for finding in findings} <= _OF_TIME


def losses(history: History) -> list[Finding]:
    """Return each acknowledged write that is lost and may be, with the fault that may have taken it."""
    return [*lost_as_stated(_held_to_promises(history)), *forgotten(history)]


def _held_to_promises(history: History) -> History:
    """Return the history of the keys whose documents the database can take, and has not had to forget."""
    poison = set(history.notes.get("poison", ()))
    left_out = {o.key for o in history.operations if o.number in poison}
    left_out |= {finding.key for finding in forgotten(history)}
    return replace(
        history,
        operations=[o for o in history.operations if not left_out.intersection(o.keys)],
        changes=[c for c in history.changes if c.key not in left_out],
        redis={k: d for k, d in history.redis.items() if k not in left_out},
        database={k: d for k, d in history.database.items() if k not in left_out},
    )


def _first_of_each_key(findings: Iterator[Finding]) -> list[Finding]:
    return list({finding.key: finding for finding in reversed(list(findings))}.values())


def _calm(history: History, goals: Goals) -> Iterator[Finding]:
    if not history.samples:
        return
    last = max(history.samples, key=lambda sample: sample.at)
    patience, took = history.notes.get("patience", math.inf), history.drained_in
    if last.expiring > (late := late_expiries(history)):
        yield Finding(
            LATE,
            "",
            (),
            f"at the end {last.expiring} documents were still to expire, and {late} may come late",
        )
    if last.depth > goals.depth or last.oldest > goals.oldest:
        yield Finding(
            LATE,
            "",
            (),
            f"at the end {last.depth} entries were queued, the oldest for {last.oldest:.1f} s; "
            f"the goals are {goals.depth} and {goals.oldest:.1f} s",
        )
    elif took > patience:
        yield Finding(
            LATE, "", (), f"the queue was empty after {took:.1f} s; the goal is {patience:g} s"
        )


def _blind(history: History) -> Iterator[Finding]:
    """Find that no change was seen of a database that has changed, or of its end: then nothing else here means much."""
    if history.notes.get("blind"):
        yield Finding(
            BLIND, "", (), "when all was calm, it was not told of a document that it wrote itself"
        )
    elif history.database and not history.changes:
        yield Finding(
            BLIND,
            "",
            (),
            f"the database holds {len(history.database)} documents, and no change of it was seen",
        )


def _unexplained(history: History) -> Iterator[Finding]:
    """Find keys whose changes no order of the operations explains."""
    groups, back = families(history.operations), rewinds(history)
    for keys in sorted(set(groups.values()), key=sorted):
        operations = [o for o in history.operations if o.key in keys]
        changes = sorted((c for c in history.changes if c.key in keys), key=lambda c: c.at)
        database = {key: history.database[key] for key in keys if key in history.database}
        redis = {key: history.redis[key] for key in keys if key in history.redis}
        end = linear.End(database, redis if back else None)
        verdict = linear.explain(operations, changes, end, back)
        if verdict is not linear.Verdict.EXPLAINED:
            yield Finding(
                UNDECIDED
                if verdict is linear.Verdict.TOO_LARGE
                else "order per key, and whole documents",
                min(keys),
                tuple(o.number for o in operations),
                f"{', '.join(sorted(keys))}: {verdict.value}, among {len(operations)} operations "
                f"and {len(changes)} changes of the database; {_where(operations, changes, history)}",
            )


def _where(operations: list[Operation], changes: list[Change], history: History) -> str:
    """Say at which change of the database the history stops making sense."""
    for count in range(1, len(changes) + 1):
        verdict = linear.explain(operations, changes[:count], None, rewinds(history))
        if verdict is linear.Verdict.NO_ORDER:
            last = changes[count - 1]
            return f"the first that makes no sense is {last.key} = {last.document}"
    return "each change makes sense, but not the end"

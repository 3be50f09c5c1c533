"""Decides from a history alone what a recipe lost, and says which write it was and why that may not be.

Each rule looks for one kind of loss and can name it in a sentence. Values are unique (a field holds
the number of the operation that wrote it), so a document tells who wrote it. What no rule finds, the
search in `linear` does: it knows only what the operations mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.histories.verdict import linear
from tests.histories.verdict.history import (
    Change,
    Document,
    History,
    Kind,
    Operation,
    Outcome,
    families,
)
from tests.histories.verdict.model import NUMBER

_PUTS = (Kind.SET, Kind.MERGE, Kind.PUT)


@dataclass(frozen=True)
class Finding:
    """A promise that was broken: the rule's name, the key, the operations concerned, a sentence."""

    rule: str
    key: str
    operations: tuple[int, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.sentence}"


@dataclass(frozen=True)
class Goals:
    """What depth (entries) and age (seconds) have to be below at the end of a run."""

    depth: int = 0
    oldest: float = 0.0


Rule = Callable[[History], Iterator[Finding]]


def judge(history: History, goals: Goals | None = None) -> list[Finding]:
    """Return every broken promise, at most one a rule and key; an empty list for a good run."""
    stored = _without_poison(history)
    found = [finding for rule in RULES for finding in _first_of_each_key(rule(stored))]
    found += _first_of_each_key(refused_once(history))
    found += _calm(history, goals or Goals())
    told = {finding.key for finding in found}
    return found + [f for f in _unexplained(stored) if f.key not in told]


def _without_poison(history: History) -> History:
    """Return the history of the keys whose documents the database can take."""
    poison = set(history.notes.get("poison", ()))
    left_out = {o.key for o in history.operations if o.number in poison}
    return replace(
        history,
        operations=[o for o in history.operations if not left_out.intersection(o.keys)],
        changes=[c for c in history.changes if c.key not in left_out],
        redis={k: d for k, d in history.redis.items() if k not in left_out},
        database={k: d for k, d in history.database.items() if k not in left_out},
    )


def _first_of_each_key(findings: Iterator[Finding]) -> list[Finding]:
    return list({finding.key: finding for finding in reversed(list(findings))}.values())


def nothing_missing(history: History) -> Iterator[Finding]:
    """Find an acknowledged write that is not in the database although nothing can have undone it."""
    for key, operations in _by_key(history).items():
        document = history.database.get(key)
        for write in operations:
            if write.outcome is not Outcome.ACKNOWLEDGED or write.kind not in _PUTS:
                continue
            later = [o for o in operations if o is not write and o.writes and not o.before(write)]
            for name, value in write.value.items():
                if (document or {}).get(name) == value or any(_undoes(o, name) for o in later):
                    continue
                yield Finding(
                    "nothing acknowledged is missing",
                    key,
                    (write.number,),
                    f"{_told(write)} was acknowledged and nothing overwrote it, yet the database "
                    f"holds {_shown(document, name)}",
                )


def never_older(history: History) -> Iterator[Finding]:
    """Find a document that went back: a field of an operation that had ended before a seen one began."""
    writers = _writers(history)
    latest: dict[tuple[str, str], tuple[Operation, Change]] = {}
    for change in sorted(history.changes, key=lambda c: c.at):
        for name, value in (change.document or {}).items():
            writer = writers.get((change.key, name, repr(value)))
            if writer is None:
                continue
            newer, _ = latest.get((change.key, name), (writer, change))
            if writer.before(newer):
                yield Finding(
                    "no document goes back to an older version",
                    change.key,
                    (newer.number, writer.number),
                    f"the database held {name} of {_told(newer)}, and later again that of "
                    f"{_told(writer)}, which had ended before the other began",
                )
            else:
                latest[change.key, name] = (writer, change)


def stays_deleted(history: History) -> Iterator[Finding]:
    """Find a document that is there at the end although all of it was written before its deletion."""
    for key, operations in _by_key(history).items():
        document = history.database.get(key)
        if document is None:
            continue
        for delete in operations:
            if delete.kind is not Kind.DELETE or delete.outcome is not Outcome.ACKNOWLEDGED:
                continue
            makers = [o for o in operations if _makes(o, key) and o.outcome is not Outcome.REFUSED]
            if all(maker.before(delete) for maker in makers):
                yield Finding(
                    "nothing deleted comes back",
                    key,
                    (delete.number,),
                    f"{_told(delete)} was acknowledged and nobody wrote {key} after it, yet the "
                    f"database holds {document}",
                )


def stores_equal(history: History) -> Iterator[Finding]:
    """Find a key that the two stores hold differently once all is calm."""
    for key in sorted(history.redis.keys() | history.database.keys()):
        ours, theirs = history.redis.get(key), history.database.get(key)
        if ours != theirs:
            yield Finding(
                "the two stores are equal once all is calm",
                key,
                (),
                f"Redis holds {ours} under {key}, the database {theirs}",
            )


def refused_once(history: History) -> Iterator[Finding]:
    """Find a document that the database cannot take and that is not in the dead letters, once."""
    buried = Counter(letter.operation for letter in history.dead_letters)
    for operation in history.operations:
        if operation.number not in history.notes.get("poison", ()):
            if buried[operation.number]:
                yield Finding(
                    "only what was refused is in the dead letters",
                    operation.key,
                    (operation.number,),
                    f"{_told(operation)} is a document like any other, yet a dead letter",
                )
        elif operation.outcome is Outcome.ACKNOWLEDGED and buried[operation.number] != 1:
            yield Finding(
                "what was refused is in the dead letters, once",
                operation.key,
                (operation.number,),
                f"{_told(operation)} cannot be stored and is {buried[operation.number]} times "
                "among the dead letters",
            )


RULES: tuple[Rule, ...] = (nothing_missing, never_older, stays_deleted, stores_equal)
"""The rules that can say in a sentence what was lost."""


def _calm(history: History, goals: Goals) -> Iterator[Finding]:
    if not history.samples:
        return
    last = max(history.samples, key=lambda sample: sample.at)
    if last.depth > goals.depth or last.oldest > goals.oldest:
        yield Finding(
            "lag and depth return below their goals",
            "",
            (),
            f"at the end {last.depth} entries were queued, the oldest for {last.oldest:.1f} s; "
            f"the goals are {goals.depth} and {goals.oldest:.1f} s",
        )


def _unexplained(history: History) -> Iterator[Finding]:
    """Find keys whose changes no order of the operations explains."""
    groups = families(history.operations)
    for keys in sorted(set(groups.values()), key=sorted):
        operations = [o for o in history.operations if o.key in keys]
        changes = sorted((c for c in history.changes if c.key in keys), key=lambda c: c.at)
        end = {key: history.database[key] for key in keys if key in history.database}
        verdict = linear.explain(operations, changes, end)
        if verdict is not linear.Verdict.EXPLAINED:
            yield Finding(
                "order per key, and whole documents",
                min(keys),
                tuple(o.number for o in operations),
                f"{', '.join(sorted(keys))}: {verdict.value}, among {len(operations)} operations "
                f"and {len(changes)} changes of the database; {_where(operations, changes)}",
            )


def _where(operations: list[Operation], changes: list[Change]) -> str:
    """Say at which change of the database the history stops making sense."""
    for count in range(1, len(changes) + 1):
        verdict = linear.explain(operations, changes[:count], end=None)
        if verdict is linear.Verdict.NO_ORDER:
            last = changes[count - 1]
            return f"the first that makes no sense is {last.key} = {last.document}"
    return "each change makes sense, but not the end"


def _by_key(history: History) -> dict[str, list[Operation]]:
    """Return the operations that touch each key and are not tied to another one by a rename."""
    groups = families(history.operations)
    found: dict[str, list[Operation]] = {}
    for operation in history.operations:
        if len(groups[operation.key]) == 1:
            found.setdefault(operation.key, []).append(operation)
    return found


def _writers(history: History) -> dict[tuple[str, str, str], Operation]:
    """Return who wrote which value: key, field and value, the value as text."""
    return {
        (operation.key, name, repr(value)): operation
        for operation in history.operations
        if operation.kind in _PUTS
        for name, value in operation.value.items()
        if name != NUMBER
    }


def _undoes(operation: Operation, name: str) -> bool:
    """Whether an operation may take away or overwrite a field that another one wrote."""
    if operation.outcome is Outcome.REFUSED:
        return False
    if operation.kind in (Kind.MERGE, Kind.PUT):
        return name in operation.value
    if operation.kind is Kind.INCREMENT:
        return name == NUMBER
    return operation.writes


def _makes(operation: Operation, key: str) -> bool:
    return operation.key == key and operation.kind in (Kind.SET, Kind.MERGE)


def _told(operation: Operation) -> str:
    return f"operation {operation.number} (client {operation.client}: {operation.kind.value} {operation.key})"


def _shown(document: Document | None, name: str) -> str:
    if document is None:
        return "no document"
    return f"{name}={document[name]!r}" if name in document else f"a document without {name}"

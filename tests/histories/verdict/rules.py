"""The rules that can say in a sentence what was lost, and which write it was. Pure.

Values are unique (a field holds the number of the operation that wrote it), so a document tells who
wrote it. Each rule asks `durability` whether a fault may have taken what it misses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.histories.verdict.clocks import revived
from tests.histories.verdict.durability import FLUSH, rewinds, taker, why, why_not
from tests.histories.verdict.history import (
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


Rule = Callable[[History], Iterator[Finding]]


def nothing_missing(history: History) -> Iterator[Finding]:
    """Find an acknowledged write that is not in the database although nothing can have undone it."""
    found = rewinds(history)
    for write, name in _missing(history):
        if taker(write, found) is None:
            yield Finding(
                "nothing acknowledged is missing",
                write.key,
                (write.number,),
                f"{_told(write)} was acknowledged and nothing overwrote it, yet the database holds "
                f"{_shown(history.database.get(write.key), name)}"
                f"{why_not(write, found, history.begin)}",
            )


def lost_as_stated(history: History) -> Iterator[Finding]:
    """Find an acknowledged write that is not in the database, and say which fault may have taken it."""
    found = rewinds(history)
    for write in dict.fromkeys(write.number for write, _ in _missing(history)):
        operation = next(o for o in history.operations if o.number == write)
        if (rewind := taker(operation, found)) is not None:
            reason = why(rewind, history.begin)
            yield Finding(
                "lost, and may be", operation.key, (write,), f"{_told(operation)}: {reason}"
            )


def forgotten(history: History) -> Iterator[Finding]:
    """Find a document that came back after the database's clock had made it forget the deletion."""
    for key, step in revived(history):
        yield Finding(
            "came back, and may",
            key,
            (),
            f"{key} was deleted, and the database's clock was {abs(step.by) / 3600:.0f} h off at "
            f"{step.at - history.begin:.2f} s, longer than deletes are remembered",
        )


def _missing(history: History) -> Iterator[tuple[Operation, str]]:
    """Acknowledged writes, each with the name of a field, that the database has not and nothing undid."""
    for key, operations in _by_key(history).items():
        document = history.database.get(key) or {}
        for write in operations:
            if write.outcome is not Outcome.ACKNOWLEDGED or write.kind not in _PUTS:
                continue
            later = [o for o in operations if o is not write and o.writes and not o.before(write)]
            for name, value in write.value.items():
                if document.get(name) != value and not any(_undoes(o, name) for o in later):
                    yield write, name


def never_older(history: History) -> Iterator[Finding]:
    """Find a document that went back: a field of an operation that had ended before a seen one began."""
    writers, found = _writers(history), rewinds(history)
    latest: dict[tuple[str, str], Operation] = {}
    for change in sorted(history.changes, key=lambda c: c.at):
        for name, value in (change.document or {}).items():
            writer = writers.get((change.key, name, repr(value)))
            if writer is None:
                continue
            newer = latest.get((change.key, name), writer)
            if writer.before(newer) and taker(newer, found, by=change.at) is None:
                yield Finding(
                    "no document goes back to an older version",
                    change.key,
                    (newer.number, writer.number),
                    f"the database held {name} of {_told(newer)}, and later again that of "
                    f"{_told(writer)}, which had ended before the other began",
                )
            else:
                latest[change.key, name] = writer


def stays_deleted(history: History) -> Iterator[Finding]:
    """Find a document that is there at the end although all of it was written before its deletion."""
    found = rewinds(history)
    for key, operations in _by_key(history).items():
        document = history.database.get(key)
        if document is None:
            continue
        for delete in operations:
            if delete.kind is not Kind.DELETE or delete.outcome is not Outcome.ACKNOWLEDGED:
                continue
            makers = [o for o in operations if _makes(o, key) and o.outcome is not Outcome.REFUSED]
            if all(maker.before(delete) for maker in makers) and taker(delete, found) is None:
                yield Finding(
                    "nothing deleted comes back",
                    key,
                    (delete.number,),
                    f"{_told(delete)} was acknowledged and nobody wrote {key} after it, yet the "
                    f"database holds {document}",
                )


def stores_equal(history: History) -> Iterator[Finding]:
    """Find a key that the two stores hold differently once all is calm.

    After Redis went back they may differ, until somebody writes the key.
    """
    since = max((rewind.until for rewind in rewinds(history)), default=None)
    for key in sorted(history.redis.keys() | history.database.keys()):
        ours, theirs = history.redis.get(key), history.database.get(key)
        if ours != theirs and (since is None or _written_after(history, key, since)):
            yield Finding(
                "the two stores are equal once all is calm",
                key,
                (),
                f"Redis holds {ours} under {key}, the database {theirs}",
            )


def a_flush_deletes_nothing(history: History) -> Iterator[Finding]:
    """Find a document that the database lost after a FLUSHALL although nobody deleted it."""
    flushed = [rewind for rewind in rewinds(history) if rewind.what == FLUSH]
    for key in {change.key for change in history.changes}:
        removers = [o for o in history.operations if _removes(o, key)]
        changes = sorted((c for c in history.changes if c.key == key), key=lambda c: c.at)
        for before, after in pairwise(changes):
            gone = before.document is not None and after.document is None
            if gone and not removers and any(rewind.at <= after.at for rewind in flushed):
                yield Finding(
                    "what the database has, a FLUSHALL of Redis leaves",
                    key,
                    (),
                    f"nobody deleted {key}, and after a FLUSHALL the database has it no more",
                )


def what_was_persisted_stays(history: History) -> Iterator[Finding]:
    """Find a document that expired although that had been taken back."""
    found = rewinds(history)
    for key, operations in _by_key(history).items():
        removers = [o for o in operations if _removes(o, key)]
        for persist in operations:
            if persist.kind is not Kind.PERSIST or persist.outcome is not Outcome.ACKNOWLEDGED:
                continue
            called_off = all(o.kind is Kind.EXPIRE and o.ended < persist.invoked for o in removers)
            gone = any(
                c.key == key and c.document is None and c.at > persist.ended
                for c in history.changes
            )
            if (
                called_off
                and gone
                and key not in history.database
                and taker(persist, found) is None
            ):
                yield Finding(
                    "what was persisted stays",
                    key,
                    (persist.number,),
                    f"{_told(persist)} took the expiry back and nobody deleted {key}, yet it is gone",
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


RULES: tuple[Rule, ...] = (
    nothing_missing,
    never_older,
    stays_deleted,
    stores_equal,
    a_flush_deletes_nothing,
    what_was_persisted_stays,
)


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
    if operation.outcome is Outcome.REFUSED or not operation.queued:
        return False
    if operation.kind in (Kind.MERGE, Kind.PUT):
        return name in operation.value
    if operation.kind is Kind.INCREMENT:
        return name == NUMBER
    return operation.writes


def _makes(operation: Operation, key: str) -> bool:
    return operation.key == key and operation.kind in (Kind.SET, Kind.MERGE)


def _removes(operation: Operation, key: str) -> bool:
    """Whether an operation may take a document away."""
    kinds = (Kind.DELETE, Kind.EXPIRE, Kind.RENAME)
    done = operation.outcome is not Outcome.REFUSED
    return operation.key == key and operation.kind in kinds and done


def _written_after(history: History, key: str, since: float) -> bool:
    """Whether a write of a key began after a time and was acknowledged, so that both stores have it."""
    return any(
        key in o.keys and o.queued and o.kind is not Kind.EXPIRE and o.invoked > since
        for o in history.operations
        if o.outcome is Outcome.ACKNOWLEDGED
    )


def _told(operation: Operation) -> str:
    return f"operation {operation.number} (client {operation.client}: {operation.kind.value} {operation.key})"


def _shown(document: Document | None, name: str) -> str:
    if document is None:
        return "no document"
    return f"{name}={document[name]!r}" if name in document else f"a document without {name}"

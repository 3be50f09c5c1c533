"""What happened in one run: operations with their outcomes, changes of the database, faults. Pure data.

Times are seconds of one monotonic clock. A history is one JSON object a line on disk, so that a run
which fails can be kept, read, cut down and judged again without any server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

Document = dict[str, Any]

NEVER = math.inf
"""The end of an operation that was never answered."""


class Kind(str, Enum):
    """What a client asks for. The documents are JSON objects; fields are their top level."""

    SET = "set"  # the whole document
    MERGE = "merge"  # some fields; makes the document where there is none
    PUT = "put"  # one field of a document that is there
    INCREMENT = "increment"  # the number in field "n" of a document that is there
    DELETE = "delete"
    EXPIRE = "expire"  # the document goes by itself, some time later
    PERSIST = "persist"  # the document stays: an expiry is taken back
    RENAME = "rename"  # to the key in `value`
    READ = "read"


class Outcome(str, Enum):
    """What the client knows when the operation ends."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # an error that says: nothing was done
    UNKNOWN = "unknown"  # no answer, or one that leaves it open: done now, later or never


@dataclass(frozen=True)
class Operation:
    """One call of one client.

    `value`: the fields of SET, MERGE and PUT, the summand of INCREMENT, the new key of RENAME, else
    None. `left`: when the client tried it for the last time, also in vain. `result`: what READ or
    INCREMENT returned. `entry`: the id of the stream entry, where the
    recipe tells it.
    """

    number: int
    client: int
    kind: Kind
    key: str
    value: Any
    invoked: float
    ended: float = NEVER
    left: float = NEVER
    outcome: Outcome = Outcome.UNKNOWN
    result: Any = None
    entry: str | None = None

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.kind is not Kind.READ

    @property
    def queued(self) -> bool:
        """Whether it passes on what it changed, so that both stores hold the same afterwards."""
        return self.kind not in (Kind.READ, Kind.PERSIST)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it touches."""
        return (self.key, self.value) if self.kind is Kind.RENAME else (self.key,)

    def before(self, other: Operation) -> bool:
        """Whether it ended before the other began, as every clock in the run could see.

        EXPIRE never did: it ends when the document goes.
        """
        return self.kind is not Kind.EXPIRE and self.ended < other.invoked


@dataclass(frozen=True)
class Change:
    """The system of record changed: `document` is what it held under the key then, None for nothing."""

    at: float
    key: str
    document: Document | None


@dataclass(frozen=True)
class Fault:
    """What was done to a part, from `at` until `until`. `by`: how far ahead its clock was, in seconds."""

    at: float
    until: float
    what: str
    part: str
    by: float = 0.0


@dataclass(frozen=True)
class DeadLetter:
    """What the recipe gave up: the key, and the number of the operation when its payload tells it."""

    key: str
    operation: int | None


@dataclass(frozen=True)
class Sample:
    """Depth of the queue (entries) and the age of its oldest entry (seconds) at one moment.

    `expiring`: how many documents are going to expire, where the recipe knows.
    """

    at: float
    depth: int
    oldest: float
    expiring: int = 0


@dataclass
class History:
    """One run, whole. `redis` and `database` are what both hold at the end, when all is calm."""

    operations: list[Operation] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    redis: dict[str, Document] = field(default_factory=dict)
    database: dict[str, Document] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def begin(self) -> float:
        """When the first operation was called."""
        return min((operation.invoked for operation in self.operations), default=0.0)

    @property
    def drained_in(self) -> float:
        """Seconds from when all was calm until the queue was empty, or was given up."""
        times = [sample.at for sample in self.samples] or [0.0]
        return max(times) - min(times)

    def save(self, file: Path) -> None:
        """Write it, one JSON object a line."""
        with file.open("w", encoding="utf-8") as out:
            for line in self._lines():
                out.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _lines(self) -> Iterator[dict[str, Any]]:
        for name in ("operations", "changes", "faults", "dead_letters", "samples"):
            for item in getattr(self, name):
                yield {"is": name, **_finite(asdict(item))}
        yield {"is": "end", "redis": self.redis, "database": self.database, "notes": self.notes}

    @classmethod
    def load(cls, file: Path) -> History:
        """Read what `save` wrote. Raises ValueError for a line that is none of a history's."""
        history = cls()
        with file.open(encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                history._take(line)
        return history

    def _take(self, line: dict[str, Any]) -> None:
        match line.pop("is", None):
            case "operations":
                ends = {name: NEVER for name in ("ended", "left") if line.get(name) is None}
                kind, outcome = Kind(line.pop("kind")), Outcome(line.pop("outcome"))
                self.operations.append(Operation(kind=kind, outcome=outcome, **line | ends))
            case "changes":
                self.changes.append(Change(**line))
            case "faults":
                self.faults.append(Fault(**line))
            case "dead_letters":
                self.dead_letters.append(DeadLetter(**line))
            case "samples":
                self.samples.append(Sample(**line))
            case "end":
                self.redis, self.database = line["redis"], line["database"]
                self.notes = line["notes"]
            case other:
                raise ValueError(f"not a line of a history: {other!r}")


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value == NEVER else value for name, value in values.items()}


def families(operations: Iterable[Operation]) -> dict[str, frozenset[str]]:
    """Return for each key the keys that a rename ties to it, itself included."""
    groups: dict[str, set[str]] = {}
    for operation in operations:
        tied = set().union(*(groups.get(key, {key}) for key in operation.keys))
        groups.update(dict.fromkeys(tied, tied))
    return {key: frozenset(group) for key, group in groups.items()}

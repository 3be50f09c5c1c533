"""Flows as the specification has them: slow, and plain enough to be seen to be right.

Where RedisGears's documentation is silent, this is what holds:

* A record goes through all steps before the next one is taken. A function that fails leaves an error in the place of
  what it would have given; the records that have been read go on, but none is read any more.
* A fold that fails forgets what it has gathered, of that key only, and begins anew with the next record.
* What comes later holds up nothing but its own record, and the order stays that of the records.
* A reader that raises is asked no more, and so is one whose records have failed before it would raise.
* A `limit` sees that it is full by the first record too many: that one was made in vain, and may have failed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.minigears.model.flow import functions
from tests.minigears.model.flow.functions import Failed, Function

BROKEN = "the reader is broken"
_ARGUMENTS = {"key": "x", "fold": "a, x", "by key": "k, a, x", "all": "k, a, x=None", "one": "x"}


@dataclass
class Step:
    """One step while it runs: `push` takes a record, `end` what is left; both give records on."""

    kind: str
    functions: list[Function]
    start: int = 0
    stop: int = 0
    taken: int = 0
    vain: bool = False
    gathered: dict[str, Any] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether it has seen that it wants no more records."""
        return self.vain

    def push(self, record: Any) -> Iterator[Any]:
        """Take one record; raises Failed."""
        first = self.functions[0] if self.functions else None
        if self.kind in ("map", "flatmap"):
            value = first.call(record)
            yield from value[::-1] if self.kind == "flatmap" and type(value) is list else [value]
        elif self.kind in ("filter", "foreach"):
            if first.call(record) or self.kind == "foreach":
                yield record
        elif self.kind == "repartition":
            first.call(record, waits=False, where="extractor")
            yield record
        elif self.kind == "accumulate":
            self._fold("all", first, record)
        elif self.kind == "groupby":
            key = _key(first.call(record, waits=False, where="extractor"))
            self._fold(key, self.functions[1], record)
        elif self.kind == "batchgroupby":
            key = _key(first.call(record, waits=False, where="extractor"))
            self.gathered.setdefault(key, []).append(record)
        elif self.kind == "limit":
            place, self.taken = self.taken, self.taken + 1
            if self.start <= place < self.stop:
                yield record
            else:
                self.vain = self.taken >= self.stop

    def _fold(self, key: str, reducer: Function, record: Any) -> None:
        try:
            self.gathered[key] = reducer.call(self.gathered.get(key), record, folds=True)
        except Failed:
            self.gathered.pop(key, None)
            raise

    def end(self) -> Iterator[Any]:
        """No more records come; gives values, and Failed for those that could not be made."""
        for key, value in self.gathered.items():
            if self.kind == "accumulate":
                yield value
            elif self.kind == "groupby":
                yield {"key": key, "value": value}
        for key, value in reversed(self.gathered.items()) if self.kind == "batchgroupby" else []:
            try:
                folded = self.functions[1].call(value, None, waits=False, where="reduce")
            except Failed as error:
                yield error
            else:
                yield {"key": key, "value": folded}


def _key(extracted: Any) -> str:
    return extracted if type(extracted) is str else repr(extracted)


class Flow:
    """A generated flow over a few numbers."""

    def __init__(self, rng: random.Random):
        self.records = [rng.randrange(6) for _ in range(rng.randrange(5))]
        kinds = [rng.choice(list(_MAKERS)) for _ in range(rng.randrange(1, 5))]
        # How many values are on their way when a limit has enough is a matter of luck.
        self._plan = [self._step(rng, kind, "limit" in kinds) for kind in kinds]
        # Whether an error that comes later is there before the reader is asked again is a matter of luck, too.
        plain = all(f.manner == "plain" for step in self._plan for f in step.functions)
        self.breaks = plain and rng.random() < 0.5
        """Whether the reader raises behind the last record."""

    @staticmethod
    def _step(rng: random.Random, kind: str, plain: bool) -> Step:
        if kind == "limit":
            start = rng.randrange(2)
            return Step(kind, [], start, start + rng.randrange(4))
        return Step(kind, [_MAKERS_BY_ROLE[role](rng, plain) for role in _MAKERS[kind]])

    def source(self, reader: str, last: str) -> str:
        """The script: definitions, then the flow that begins with `reader` and ends with `last`."""
        lines, calls = ["import asyncio, threading\nkept = []\n"], [reader]
        for number, step in enumerate(self._plan):
            names = [f"f{number}_{place}" for place in range(len(step.functions))]
            roles = _MAKERS[step.kind]
            for name, role, function in zip(names, roles, step.functions, strict=True):
                lines.append(function.source(name, _ARGUMENTS[_role(step.kind, role)]))
            given = (
                [str(step.stop - step.start), str(step.start)] if step.kind == "limit" else names
            )
            calls.append(f"{step.kind}({', '.join(given)})")
        return "".join(lines) + ".".join([*calls, last])

    def reader(self) -> str:
        """A PythonReader of one list of them, which some step has to take apart."""
        broken = f"raise ValueError({BROKEN!r})" if self.breaks else "return"
        return (
            f"def read():\n    yield {self.records[::-1]}\n    {broken}\nGB('PythonReader', read)"
        )

    def expected(self, breaks: bool = False) -> tuple[list[str], list[Failed]]:
        """Results as text, and the errors; `breaks`: of a reader that raises behind the last record."""
        run = _Run([Step(s.kind, s.functions, s.start, s.stop) for s in self._plan])
        for record in self.records:
            run.push(0, record)
        if breaks and not run.errors and not any(step.full for step in run.steps):
            run.errors.append(Failed(BROKEN))
        run.end()
        return [str(value) for value in run.results], run.errors


class _Run:
    def __init__(self, steps: list[Step]):
        self.steps, self.results = steps, []
        self.errors: list[Failed] = []

    def push(self, at: int, record: Any) -> None:
        if isinstance(record, Failed):
            self.errors.append(record)
        elif any(step.full for step in self.steps[at:]):
            return
        elif at == len(self.steps):
            self.results.append(record)
        else:
            self._give(at, self.steps[at].push(record))

    def end(self) -> None:
        for at, step in enumerate(self.steps):
            if not any(later.full for later in self.steps[at:]):
                self._give(at, step.end())

    def _give(self, at: int, records: Iterator[Any]) -> None:
        try:
            for record in records:
                self.push(at + 1, record)
                if any(step.full for step in self.steps[at + 1 :]):
                    return
        except Failed as error:
            self.errors.append(error)


_MAKERS = {
    "map": ["one"],
    "filter": ["one"],
    "foreach": ["one"],
    "flatmap": ["one"],
    "repartition": ["key"],
    "accumulate": ["fold"],
    "groupby": ["key", "fold"],
    "batchgroupby": ["key", "fold"],
    "limit": [],
}
_MAKERS_BY_ROLE = {"one": functions.one, "key": functions.key, "fold": functions.fold}


def _role(kind: str, role: str) -> str:
    by = {("groupby", "fold"): "by key", ("batchgroupby", "fold"): "all"}
    return by.get((kind, role), role)

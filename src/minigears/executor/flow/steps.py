"""The operations of a flow: records in, records out.

Each step is a generator over the one before it, so a record goes all the way before the next is
read. When user code raises, the step notes the error and ends: what follows it finishes with the
records it already has. Here is no I/O; user functions are called through `Run.call`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from minigears.executor.errors import ForceStopped, render


@dataclass(frozen=True)
class Step:
    """One operation: its kind, the user's functions and, for `limit`, its numbers."""

    kind: str
    functions: tuple[Callable[..., Any], ...] = ()
    start: int = 0
    length: int = 0

    def pack(self) -> tuple[Any, ...]:
        """As built-in types, for pickling."""
        return (self.kind, self.functions, self.start, self.length)

    def describe(self) -> tuple[str, str, str]:
        """Type, name and argument as `RG.GETEXECUTION` shows them."""
        kind, name = _SHOWN[self.kind]
        return kind, name, str(self.functions[0]) if self.functions else ""


_SHOWN = {
    "map": ("map", "RedisGearsPy_PyCallbackMapper"),
    "filter": ("filter", "RedisGearsPy_PyCallbackFilter"),
    "foreach": ("foreach", "RedisGearsPy_PyCallbackForEach"),
    "flatmap": ("flat_map", "RedisGearsPy_PyCallbackFlatMapper"),
    "accumulate": ("accumulate", "RedisGearsPy_PyCallbackAccumulate"),
    "localgroupby": ("accumulatebykey", "RedisGearsPy_PyCallbackAccumulateByKey"),
    "batchgroupby": ("reduce", "RedisGearsPy_PyCallbackReducer"),
    "repartition": ("repartition", "RedisGearsPy_PyCallbackExtractor"),
    "collect": ("collect", "collect"),
    "limit": ("limit", "limit"),
}

READ_STEP = ("map", "RedisGearsPy_ToPyRecordMapper", "")
"""The step that RedisGears adds at the beginning."""


class Run:
    """One run of a flow: how user functions are called, and what went wrong.

    `call(function, *arguments)` calls one and returns its value, waiting for coroutines; `fold` does
    the same for reducers, and `plain(function, where, *arguments)` for what cannot wait.
    """

    def __init__(
        self,
        call: Callable[..., Any],
        fold: Callable[..., Any] | None = None,
        plain: Callable[..., Any] | None = None,
    ):
        self.call = call
        self.fold = fold or call
        self.plain = plain or (lambda function, where, *arguments: call(function, *arguments))
        self.errors: list[str] = []
        self.aborted = False

    def fail(self, error: BaseException) -> None:
        """Note what user code raised."""
        self.aborted = self.aborted or isinstance(error, ForceStopped)
        self.errors.append(render(error))

    def results(self, steps: Sequence[Step], records: Iterable[Any]) -> list[Any]:
        """Run `records` through `steps`; what failed is in `errors`."""
        if not isinstance(records, (list, tuple)):
            records = self._guarded(records)
        results: list[Any] = []
        try:
            for step in steps:
                if step.kind not in _PASS:
                    records = _APPLY[step.kind](self, step, iter(records))
            results.extend(records)
        except BaseException as error:  # between two calls of functions: an abort, or no memory
            self.fail(error)
        return results

    def _guarded(self, records: Iterable[Any]) -> Iterator[Any]:
        """Records of a source that may raise, up to where it does."""
        try:
            yield from records
        except GeneratorExit:
            raise
        except BaseException as error:
            self.fail(error)


def _map(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    function, call = step.functions[0], run.call
    for record in records:
        try:
            value = call(function, record)
        except BaseException as error:
            return run.fail(error)
        yield value


def _filter(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    function, call = step.functions[0], run.call
    for record in records:
        try:
            wanted = bool(call(function, record))
        except BaseException as error:
            return run.fail(error)
        if wanted:
            yield record


def _foreach(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    function, call = step.functions[0], run.call
    for record in records:
        try:
            call(function, record)
        except BaseException as error:
            return run.fail(error)
        yield record


def _flatmap(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    for value in _map(run, step, records):
        if isinstance(value, list):
            yield from reversed(value)  # RedisGears pops them off the end
        else:
            yield value


def _accumulate(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    function, call = step.functions[0], run.fold
    accumulator, some = None, False
    for record in records:
        try:
            accumulator = call(function, accumulator, record)
        except BaseException as error:
            return run.fail(error)
        some = True
    if some:
        yield accumulator


def _localgroupby(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    extractor, reducer = step.functions
    groups: dict[str, Any] = {}
    for record in records:
        try:
            key = _key(run.plain(extractor, "extractor", record))
            groups[key] = run.fold(reducer, key, groups.get(key), record)
        except BaseException as error:
            run.fail(error)
            break
    if not run.errors:
        for key, value in groups.items():
            yield {"key": key, "value": value}


def _key(extracted: Any) -> str:
    return extracted if isinstance(extracted, str) else repr(extracted)


def _batchgroupby(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    extractor, reducer = step.functions
    groups: dict[str, list[Any]] = {}
    for record in records:
        try:
            key = _key(run.plain(extractor, "extractor", record))
            groups.setdefault(key, []).append(record)
        except BaseException as error:
            return run.fail(error)
    for key, members in groups.items():
        try:
            value = run.plain(reducer, "reduce", key, members)
        except BaseException as error:
            return run.fail(error)
        yield {"key": key, "value": value}


def _repartition(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    """One shard holds all partitions: only the extractor is called, as it may raise."""
    for record in records:
        try:
            run.plain(step.functions[0], "extractor", record)
        except BaseException as error:
            return run.fail(error)
        yield record


def _limit(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    return itertools.islice(records, step.start, step.start + step.length)


_PASS = frozenset({"collect"})
"""Steps that move records between shards: here is one."""

_APPLY: dict[str, Callable[[Run, Step, Iterator[Any]], Iterator[Any]]] = {
    "map": _map,
    "filter": _filter,
    "foreach": _foreach,
    "flatmap": _flatmap,
    "accumulate": _accumulate,
    "localgroupby": _localgroupby,
    "batchgroupby": _batchgroupby,
    "repartition": _repartition,
    "limit": _limit,
}

"""The operations of a flow: records in, records out.

Each step is a generator over the one before it, so a record goes all the way before the next is
read. When user code raises, the error is noted in the place of what would have come out, and the
reader is asked no more; what it has given already goes on, such as the elements of a list that
`flatmap` took apart. A function whose value comes later does not hold up the records behind it.
Here is no I/O; user functions are called through `Run`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from minigears.executor.errors import Abandoned, ForceStopped, render
from minigears.executor.flow.steps import UNSIGNED, Step


class Later:
    """A value that a function has promised, and how its run waits for it."""

    __slots__ = ("_future", "_wait")

    def __init__(self, wait: Callable[[Future[Any]], Any], future: Future[Any]) -> None:
        self._wait = wait
        self._future = future

    @property
    def ready(self) -> bool:
        """Whether it is there now."""
        return self._future.done()

    def result(self) -> Any:
        """Wait for it; raises what its function failed with, Abandoned for an abort."""
        return self._wait(self._future)

    def cancel(self) -> None:
        """Nobody waits for it any more: a coroutine that would give it ends."""
        self._future.cancel()


_AHEAD = 10_000
"""Values that a step waits for at once, before it takes another record."""


class Run:
    """One run of a flow: how user functions are called, and what went wrong.

    `call(function, *arguments)` calls one and returns its value, or a `Later`. `fold` does the
    same for reducers, and waits; `plain(function, where, *arguments)` is for what cannot wait.
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
        if not isinstance(error, Abandoned):
            self.errors.append(render(error))

    def results(self, steps: Sequence[Step], records: Iterable[Any]) -> list[Any]:
        """Run `records` through `steps`; what failed is in `errors`."""
        if not isinstance(records, (list, tuple)) or len(records) > 1:
            records = self._read(records)
        results: list[Any] = []
        try:
            for step in steps:
                if step.kind not in _PASS:
                    records = _APPLY[step.kind](self, step, iter(records))
            results.extend(records)
        except BaseException as error:  # between two calls of functions: an abort, or no memory
            self.fail(error)
        return results

    def _read(self, records: Iterable[Any]) -> Iterator[Any]:
        """Records of a source that may raise, until there is an error."""
        try:
            for record in records:
                yield record
                if self.errors:
                    return
        except GeneratorExit:
            raise
        except BaseException as error:
            self.fail(error)


@dataclass(frozen=True, slots=True)
class _Failed:
    """Stands among values that come later in the place of one that has failed."""

    error: BaseException


def _called(run: Run, step: Step, records: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Each record with what the step's function makes of it, in the order of the records."""
    function, call = step.functions[0], run.call
    waiting: deque[tuple[Any, Any]] = deque()
    try:
        for record in records:
            try:
                value = call(function, record)
            except BaseException as error:
                if not waiting:
                    run.fail(error)
                    if run.aborted:
                        return
                    continue
                value = _Failed(error)
            if not waiting and type(value) is not Later:
                yield record, value
                continue
            waiting.append((record, value))
            while waiting and (len(waiting) >= _AHEAD or _is_there(waiting[0][1])):
                yield from _settled(run, waiting)
        while waiting and not run.aborted:
            yield from _settled(run, waiting)
    finally:
        for _, value in waiting:
            if type(value) is Later:
                value.cancel()


def _is_there(value: Any) -> bool:
    return type(value) is not Later or value.ready


def _settled(run: Run, waiting: deque[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """The first of those who wait, unless it fails."""
    record, value = waiting.popleft()
    try:
        if type(value) is Later:
            value = value.result()
        elif type(value) is _Failed:
            raise value.error
    except BaseException as error:
        return run.fail(error)
    yield record, value


def _map(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    for _, value in _called(run, step, records):
        yield value


def _filter(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    for record, value in _called(run, step, records):
        try:
            wanted = bool(value)
        except BaseException as error:
            run.fail(error)
            continue
        if wanted:
            yield record


def _foreach(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    for record, _ in _called(run, step, records):
        yield record


def _flatmap(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    for _, value in _called(run, step, records):
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
            some = True
        except BaseException as error:
            run.fail(error)
            if run.aborted:
                return
            accumulator, some = None, False  # what comes now begins anew
    if some:
        yield accumulator


def _localgroupby(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    reducer = step.functions[1]
    groups: dict[str, Any] = {}
    for key, record in _extracted(run, step, records):
        try:
            groups[key] = run.fold(reducer, key, groups.get(key), record)
        except BaseException as error:
            run.fail(error)
            if run.aborted:
                return
            groups.pop(key, None)  # what comes now begins anew
    for key, value in groups.items():
        yield {"key": key, "value": value}


def _batchgroupby(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    reducer = step.functions[1]
    groups: dict[str, list[Any]] = {}
    for key, record in _extracted(run, step, records):
        groups.setdefault(key, []).append(record)
    for key, members in reversed(groups.items()):
        try:
            value = run.plain(reducer, "reduce", key, members)
        except BaseException as error:
            run.fail(error)
            if run.aborted:
                return
            continue
        yield {"key": key, "value": value}


def _repartition(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    """One shard holds all partitions: only the extractor is called, as it may raise."""
    for _, record in _extracted(run, step, records):
        yield record


def _extracted(run: Run, step: Step, records: Iterator[Any]) -> Iterator[tuple[str, Any]]:
    """Each record with its key."""
    extractor = step.functions[0]
    for record in records:
        try:
            extracted = run.plain(extractor, "extractor", record)
            key = extracted if isinstance(extracted, str) else repr(extracted)
        except BaseException as error:
            run.fail(error)
            if run.aborted:
                return
            continue
        yield key, record


def _limit(run: Run, step: Step, records: Iterator[Any]) -> Iterator[Any]:
    """That there are enough is seen by the first record too many: it was made in vain."""
    stop = (step.start + step.length) % UNSIGNED
    for place, record in enumerate(records):
        if step.start <= place < stop:
            yield record
        elif place + 1 >= stop:
            return


_PASS = frozenset({"collect"})
"""Steps that move records between shards: here is one."""

_APPLY: dict[str, Callable[[Run, Step, Iterator[Any]], Iterator[Any]]] = {
    "map": _map,
    "filter": _filter,
    "foreach": _foreach,
    "flatmap": _flatmap,
    "accumulate": _accumulate,
    "localgroupby": _localgroupby,
    "groupby": _localgroupby,
    "batchgroupby": _batchgroupby,
    "repartition": _repartition,
    "limit": _limit,
}

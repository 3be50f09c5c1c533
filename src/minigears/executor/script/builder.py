"""`GearsBuilder`: what a script says to describe a flow.

The lambdas in here travel inside pickled registrations: they use nothing but what they close over
and modules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from minigears.executor.script.flatexecution import PyFlatExecution, Steps
from minigears.executor.usercode.log import write

_IN_PYTHON = ("ShardsIDReader", "KeysOnlyReader")
"""Readers that RedisGears has as functions for its PythonReader."""

_REGEX = "Using regex argument with register is deprecated and missleading, use prefix instead."


class GearsBuilder(Steps):
    """A flow: a reader, the steps its records go through, then `run` or `register`.

    It works wherever Python runs: in scripts, functions, coroutines, timers. Every method but the
    last two adds steps and returns the builder.
    """

    def __init__(
        self, reader: str = "KeysReader", defaultArg: Any = "*", desc: str | None = None
    ) -> None:
        self.realReader = reader
        self.reader = "PythonReader" if reader in _IN_PYTHON else reader
        self.gearsCtx = PyFlatExecution(self.reader, desc)
        self.defaultArg = defaultArg
        self.steps = self.gearsCtx.steps

    def aggregate(
        self, zero: Any, seqOp: Callable[[Any, Any], Any], combOp: Callable[[Any, Any], Any]
    ) -> GearsBuilder:
        """Fold from `zero` on each shard with `seqOp`, then the shards' values with `combOp`."""

        def fold(a: Any, r: Any) -> Any:
            return seqOp(copy.deepcopy(zero) if a is None else a, r)

        self.accumulate(fold)
        if seqOp is _one_more and self.steps[-1].functions == (fold,):
            self.steps[-1] = replace(self.steps[-1], blind=True)
        self.collect()
        self.accumulate(lambda a, r: combOp(copy.deepcopy(zero) if a is None else a, r))
        return self

    def aggregateby(
        self,
        extractor: Callable[[Any], Any],
        zero: Any,
        seqOp: Callable[[Any, Any, Any], Any],
        combOp: Callable[[Any, Any, Any], Any],
    ) -> GearsBuilder:
        """`aggregate` for each key: the operations get the key first."""
        self.__localAggregateby__(extractor, zero, seqOp)
        self.groupby(
            lambda x: x["key"],
            lambda k, a, r: combOp(k, copy.deepcopy(zero) if a is None else a, r["value"]),
        )
        return self

    def __localAggregateby__(  # the name that scripts know
        self, extractor: Callable[[Any], Any], zero: Any, aggregator: Callable[[Any, Any, Any], Any]
    ) -> GearsBuilder:
        """The first half of `aggregateby`: each shard's own values."""
        self.localgroupby(
            lambda x: extractor(x),  # which need not be a function, as `int` is none
            lambda k, a, r: aggregator(k, copy.deepcopy(zero) if a is None else a, r),
        )
        return self

    def count(self) -> GearsBuilder:
        """Count the records."""
        return self.aggregate(0, _one_more, lambda a, r: a + r)

    def countby(self, extractor: Callable[[Any], Any] = lambda x: x) -> GearsBuilder:
        """Count the records of each key."""
        return self.aggregateby(extractor, 0, lambda k, a, r: a + 1, lambda k, a, r: a + r)

    def avg(self, extractor: Callable[[Any], Any] = lambda x: float(x)) -> GearsBuilder:
        """The mean of what `extractor` returns."""
        self.map(extractor)
        self.aggregate(
            (0, 0), lambda a, r: (a[0] + r, a[1] + 1), lambda a, r: (a[0] + r[0], a[1] + r[1])
        )
        self.map(lambda x: x[0] / x[1])
        return self

    def distinct(self) -> GearsBuilder:
        """Keep one of equal records."""
        self.aggregate(set(), _added, lambda a, r: a | r)
        self.flatmap(lambda x: list(x))
        return self

    def sort(self, reverse: bool = True) -> GearsBuilder:
        """Sort the records, ascending unless `reverse` is False."""
        self.aggregate([], _appended, lambda a, r: a + r)
        self.map(lambda x: sorted(x, reverse=reverse))
        self.flatmap(lambda x: x)  # it emits the last element first
        return self

    def run(
        self, arg: Any = None, convertToStr: bool = True, collect: bool = True, **kargs: Any
    ) -> Any:
        """Run the flow once; `arg` is what the reader reads. Returns a future of `[results, errors]`.

        In a script it begins when the script has ended, elsewhere at once.
        """
        if convertToStr:
            self.map(lambda x: str(x))
        if collect:
            self.collect()
        arg = arg if arg else self.defaultArg
        if self.realReader in _IN_PYTHON:
            return self.gearsCtx.asked.request_run(self.realReader, self.steps, arg, kargs)
        return self.gearsCtx.run(arg, **kargs)

    def register(
        self, prefix: Any = "*", convertToStr: bool = True, collect: bool = True, **kargs: Any
    ) -> str:
        """Run the flow for every event to come; returns the registration's id.

        In a script it takes effect when the script has ended, elsewhere at once.
        """
        if convertToStr:
            self.map(lambda x: str(x))
        if collect:
            self.collect()
        if "regex" in kargs:
            write(_REGEX, "warning")
            prefix = kargs.pop("regex")
        return self.gearsCtx.register(prefix=prefix, **kargs)


def _one_more(count: int, record: Any) -> int:
    return count + 1


def _added(values: set[Any], value: Any) -> set[Any]:
    values.add(value)  # a copy for each value would cost the square of their number
    return values


def _appended(values: list[Any], value: Any) -> list[Any]:
    values.append(value)
    return values

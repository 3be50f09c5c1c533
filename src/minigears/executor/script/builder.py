"""`GearsBuilder`: what a script says to describe a flow.

The lambdas in here travel inside pickled registrations: they use nothing but what they close over
and modules.
"""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from minigears.executor.errors import GearsError
from minigears.executor.flow.steps import UNSIGNED, Step
from minigears.executor.usercode.context import Asked, Context, current

READERS = (
    "KeysReader",
    "KeysOnlyReader",
    "StreamReader",
    "PythonReader",
    "ShardsIDReader",
    "CommandReader",
)

Method = Callable[..., "GearsBuilder"]

_INT64 = 2**63


def _takes(*counts: int, told: str | None = None) -> Callable[[Method], Method]:
    """Refuse another number of arguments with RedisGears's words, where the method is called `told`."""

    def wrap(method: Method) -> Method:
        @functools.wraps(method)
        def checked(self: GearsBuilder, *arguments: Any, **named: Any) -> GearsBuilder:
            if len(arguments) + len(named) not in counts:
                raise GearsError(f"wrong number of args to {told or method.__name__} function")
            return method(self, *arguments, **named)

        return checked

    return wrap


def outside(context: Context | None) -> Asked:
    """Where no script runs; `process` puts the runtime's own in this place."""
    raise GearsError("a GearsBuilder can only be made while a script runs")


class GearsBuilder:
    """A flow: a reader, the steps its records go through, then `run` or `register`.

    It works wherever Python runs: in scripts, functions, coroutines, timers. Every method but the
    last two adds steps and returns the builder.
    """

    def __init__(
        self, reader: str = "KeysReader", defaultArg: str = "*", desc: str | None = None
    ) -> None:
        if not isinstance(reader, str):
            raise GearsError("reader argument must be a string")
        if reader not in READERS:
            raise GearsError("The given reader does not exists")
        if not (desc is None or isinstance(desc, str)):
            raise GearsError("desc argument must be a string")
        self._asked = self._who()
        self._asked.builder_made()
        self.reader = reader
        self.defaultArg = defaultArg
        self.desc = desc
        self.steps: list[Step] = []

    @_takes(1)
    def map(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Replace each record by what `function` returns for it."""
        return self._add("map", map=function)

    @_takes(1)
    def flatmap(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Like `map`; the elements of a list become records, the last one first."""
        return self._add("flatmap", flatmap=function)

    @_takes(1)
    def foreach(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Call `function` for each record and keep the record."""
        return self._add("foreach", foreach=function)

    @_takes(1)
    def filter(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Keep the records for which `function` is true."""
        return self._add("filter", filter=function)

    @_takes(1)
    def accumulate(self, function: Callable[[Any, Any], Any]) -> GearsBuilder:
        """Fold all records: `function(accumulator, record)`, which begins as None."""
        return self._add("accumulate", accumulate=function)

    @_takes(2, told="groupby")
    def localgroupby(
        self, extractor: Callable[[Any], Any], reducer: Callable[[Any, Any, Any], Any]
    ) -> GearsBuilder:
        """Fold the records of each key: `reducer(key, accumulator, record)`."""
        return self._fold_by_key("localgroupby", "groupby", extractor, reducer)

    @_takes(2)
    def groupby(
        self, extractor: Callable[[Any], Any], reducer: Callable[[Any, Any, Any], Any]
    ) -> GearsBuilder:
        """`localgroupby` over the records of all shards."""
        return self._fold_by_key("groupby", "groupby", extractor, reducer)

    @_takes(2)
    def batchgroupby(
        self, extractor: Callable[[Any], Any], reducer: Callable[[Any, Any], Any]
    ) -> GearsBuilder:
        """Reduce the list of each key's records: `reducer(key, records)`."""
        return self._fold_by_key("batchgroupby", "batchgroupby", extractor, reducer)

    @_takes(1)
    def repartition(self, extractor: Callable[[Any], Any]) -> GearsBuilder:
        """Move records to the shard of their key; there is one shard."""
        return self._add("repartition", extractor=extractor)

    @_takes(0)
    def collect(self) -> GearsBuilder:
        """Bring the records of all shards together; there is one shard."""
        return self._add("collect")

    @_takes(1, 2)
    def limit(self, length: int, start: int = 0) -> GearsBuilder:
        """Keep `length` records, from number `start` on; `limit(-1)` keeps all."""
        for number in (length, start):
            if not isinstance(number, int):
                raise GearsError("limit argument must be a number")
            if not -_INT64 <= number < _INT64:
                raise GearsError("limit argument must be a number of 64 bits")
        self.steps.append(Step("limit", start=start % UNSIGNED, length=length % UNSIGNED))
        return self

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
        return self.accumulate(lambda a, r: combOp(copy.deepcopy(zero) if a is None else a, r))

    def aggregateby(
        self,
        extractor: Callable[[Any], Any],
        zero: Any,
        seqOp: Callable[[Any, Any, Any], Any],
        combOp: Callable[[Any, Any, Any], Any],
    ) -> GearsBuilder:
        """`aggregate` for each key: the operations get the key first."""
        self.__localAggregateby__(extractor, zero, seqOp)
        return self.groupby(
            lambda x: x["key"],
            lambda k, a, r: combOp(k, copy.deepcopy(zero) if a is None else a, r["value"]),
        )

    def __localAggregateby__(  # the name that scripts know
        self, extractor: Callable[[Any], Any], zero: Any, aggregator: Callable[[Any, Any, Any], Any]
    ) -> GearsBuilder:
        """The first half of `aggregateby`: each shard's own values."""
        return self.localgroupby(
            lambda x: extractor(x),  # which need not be a function, as `int` is none
            lambda k, a, r: aggregator(k, copy.deepcopy(zero) if a is None else a, r),
        )

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
        return self.map(lambda x: x[0] / x[1])

    def distinct(self) -> GearsBuilder:
        """Keep one of equal records."""
        self.aggregate(set(), _added, lambda a, r: a | r)
        return self.flatmap(lambda x: list(x))

    def sort(self, reverse: bool = True) -> GearsBuilder:
        """Sort the records, ascending unless `reverse` is False."""
        self.aggregate([], _appended, lambda a, r: a + r)
        self.map(lambda x: sorted(x, reverse=reverse))
        return self.flatmap(lambda x: x)  # it emits the last element first

    def run(
        self, arg: Any = None, convertToStr: bool = True, collect: bool = True, **kargs: Any
    ) -> Any:
        """Run the flow once; `arg` is what the reader reads.

        In a script it begins when the script has ended. Elsewhere it begins at once, and a future
        of `[results, errors]` is returned.
        """
        if convertToStr:
            self.map(lambda x: str(x))
        if collect:
            self.collect()
        arg = arg if arg else self.defaultArg
        return self._asked.request_run(self.reader, self.steps, arg, kargs)

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
        kargs["prefix"] = kargs.pop("regex", prefix)
        return self._asked.request_registration(self.reader, self.desc, self.steps, kargs)

    @staticmethod
    def _who() -> Asked:
        """Who takes what is asked for: the script that runs, or else the runtime."""
        context = current.get()
        if context is not None and context.script is not None:
            return context.script
        return outside(context)

    def _fold_by_key(
        self, kind: str, told: str, extractor: Callable[..., Any], reducer: Callable[..., Any]
    ) -> GearsBuilder:
        functions = {f"{told} extractor": extractor, f"{told} reducer": reducer}
        return self._add(kind, **functions)

    def _add(self, kind: str, **functions: Any) -> GearsBuilder:
        for name, function in functions.items():
            if not isinstance(function, types.FunctionType):
                raise GearsError(f"{name} argument must be a function")
        self.steps.append(Step(kind, tuple(functions.values())))
        return self


def _one_more(count: int, record: Any) -> int:
    return count + 1


def _added(values: set[Any], value: Any) -> set[Any]:
    values.add(value)  # a copy for each value would cost the square of their number
    return values


def _appended(values: list[Any], value: Any) -> list[Any]:
    values.append(value)
    return values

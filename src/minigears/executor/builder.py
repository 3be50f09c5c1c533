"""`GearsBuilder`: what a script says to describe a flow.

The lambdas in here travel inside pickled registrations: they use nothing but what they close over
and modules.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from typing import Any

from minigears.executor.context import current
from minigears.executor.errors import GearsError
from minigears.executor.steps import Step

READERS = (
    "KeysReader",
    "KeysOnlyReader",
    "StreamReader",
    "PythonReader",
    "ShardsIDReader",
    "CommandReader",
)

_MAX_LIMIT = 2**62
"""Beyond what a run can have records; two of them added are still a number of 64 bits."""


class GearsBuilder:
    """A flow: a reader, the steps its records go through, then `run` or `register`.

    Every method but the last two adds steps and returns the builder.
    """

    def __init__(
        self, reader: str = "KeysReader", defaultArg: str = "*", desc: str | None = None
    ) -> None:
        if reader not in READERS:
            raise GearsError("The given reader does not exists")
        if not (desc is None or isinstance(desc, str)):
            raise GearsError("desc argument must be a string")
        context = current.get()
        if context is None or context.script is None:
            raise GearsError("a GearsBuilder can only be made while a script runs")
        self._script = context.script
        self._script.builder_made()
        self.reader = reader
        self.defaultArg = defaultArg
        self.desc = desc
        self.steps: list[Step] = []

    def map(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Replace each record by what `function` returns for it."""
        return self._add("map", map=function)

    def flatmap(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Like `map`; the elements of a list become records, the last one first."""
        return self._add("flatmap", flatmap=function)

    def foreach(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Call `function` for each record and keep the record."""
        return self._add("foreach", foreach=function)

    def filter(self, function: Callable[[Any], Any]) -> GearsBuilder:
        """Keep the records for which `function` is true."""
        return self._add("filter", filter=function)

    def accumulate(self, function: Callable[[Any, Any], Any]) -> GearsBuilder:
        """Fold all records: `function(accumulator, record)`, which begins as None."""
        return self._add("accumulate", accumulate=function)

    def localgroupby(
        self, extractor: Callable[[Any], Any], reducer: Callable[[Any, Any, Any], Any]
    ) -> GearsBuilder:
        """Fold the records of each key: `reducer(key, accumulator, record)`."""
        return self._add("localgroupby", extractor=extractor, reducer=reducer)

    def groupby(
        self, extractor: Callable[[Any], Any], reducer: Callable[[Any, Any, Any], Any]
    ) -> GearsBuilder:
        """`localgroupby` over the records of all shards."""
        return self.localgroupby(extractor, reducer)

    def batchgroupby(
        self, extractor: Callable[[Any], Any], reducer: Callable[[Any, Any], Any]
    ) -> GearsBuilder:
        """Reduce the list of each key's records: `reducer(key, records)`."""
        return self._add("batchgroupby", extractor=extractor, batchreducer=reducer)

    def repartition(self, extractor: Callable[[Any], Any]) -> GearsBuilder:
        """Move records to the shard of their key; there is one shard."""
        return self._add("repartition", extractor=extractor)

    def collect(self) -> GearsBuilder:
        """Bring the records of all shards together; there is one shard."""
        return self._add("collect")

    def limit(self, length: int, start: int = 0) -> GearsBuilder:
        """Keep `length` records, from number `start` on."""
        for number in (length, start):
            if isinstance(number, bool) or not isinstance(number, int):
                raise GearsError("limit argument must be a number")
            if not 0 <= number < _MAX_LIMIT:
                raise GearsError(f"limit argument must be from 0 to {_MAX_LIMIT - 1}")
        self.steps.append(Step("limit", start=start, length=length))
        return self

    def aggregate(
        self, zero: Any, seqOp: Callable[[Any, Any], Any], combOp: Callable[[Any, Any], Any]
    ) -> GearsBuilder:
        """Fold from `zero` on each shard with `seqOp`, then the shards' values with `combOp`."""
        self.accumulate(lambda a, r: seqOp(copy.deepcopy(zero) if a is None else a, r))
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
        self.localgroupby(
            extractor, lambda k, a, r: seqOp(k, copy.deepcopy(zero) if a is None else a, r)
        )
        self.repartition(lambda x: x["key"])
        return self.localgroupby(
            lambda x: x["key"],
            lambda k, a, r: combOp(k, copy.deepcopy(zero) if a is None else a, r["value"]),
        )

    def count(self) -> GearsBuilder:
        """Count the records."""
        return self.aggregate(0, lambda a, r: a + 1, lambda a, r: a + r)

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
        self.aggregate(set(), lambda a, r: a | {r}, lambda a, r: a | r)
        return self.flatmap(lambda x: list(x))

    def sort(self, reverse: bool = True) -> GearsBuilder:
        """Sort the records, ascending unless `reverse` is False."""
        self.aggregate([], lambda a, r: [*a, r], lambda a, r: a + r)
        # flatmap emits the last element first
        return self.flatmap(lambda x: sorted(x, reverse=reverse))

    def run(
        self, arg: Any = None, convertToStr: bool = True, collect: bool = True, **kargs: Any
    ) -> None:
        """Run the flow once when the script ends; `arg` is what the reader reads."""
        if convertToStr:
            self.map(lambda x: str(x))
        if collect:
            self.collect()
        arg = self.defaultArg if arg is None else arg
        self._script.request_run(self.reader, self.steps, arg, kargs)

    def register(
        self, prefix: Any = "*", convertToStr: bool = True, collect: bool = True, **kargs: Any
    ) -> str:
        """Run the flow for every event from the script's end on; returns the registration's id."""
        if convertToStr:
            self.map(lambda x: str(x))
        if collect:
            self.collect()
        kargs["prefix"] = kargs.pop("regex", prefix)
        return self._script.request_registration(self.reader, self.desc, self.steps, kargs)

    def _add(self, kind: str, **functions: Any) -> GearsBuilder:
        for name, function in functions.items():
            if not isinstance(function, types.FunctionType):
                raise GearsError(f"{name} argument must be a function")
        self.steps.append(Step(kind, tuple(functions.values())))
        return self

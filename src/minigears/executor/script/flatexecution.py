"""A flow as it is being described: its reader, the steps its records go through, then `run` or `register`.

RedisGears has this part in C, and a `GearsBuilder` around it in Python.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minigears.executor.errors import GearsError
from minigears.executor.flow.steps import UNSIGNED, Step
from minigears.executor.functions import in_c, is_function
from minigears.executor.usercode.context import Asked, Context, current

_READERS = ("KeysReader", "StreamReader", "PythonReader", "CommandReader", "ShardIDReader")
"""The last one is RedisGears's own: nobody may run or register it."""

_INT64 = 2**63

Function = Callable[..., Any]
Method = Callable[..., Any]


def outside(context: Context | None) -> Asked:
    """Where no script runs; `process` puts the runtime's own in this place."""
    raise GearsError("a GearsBuilder can only be made while a script runs")


def _takes(*counts: int, told: str | None = None) -> Callable[[Method], Method]:
    """Refuse another number of arguments, which have no names, with RedisGears's words.

    `told` is what these call the method.
    """

    def wrap(method: Method) -> Method:
        @functools.wraps(method)
        def checked(self: Steps, *arguments: Any) -> Any:
            if len(arguments) not in counts:
                raise GearsError(f"wrong number of args to {told or method.__name__} function")
            return method(self, *arguments)

        return checked

    return wrap


class Steps:
    """The operations: each adds a step and returns what it was called on."""

    steps: list[Step]

    @_takes(1)
    def map(self, function: Function) -> Steps:
        """Replace each record by what `function` returns for it."""
        return self._add("map", map=function)

    @_takes(1)
    def flatmap(self, function: Function) -> Steps:
        """Like `map`; the elements of a list become records, the last one first."""
        return self._add("flatmap", flatmap=function)

    @_takes(1)
    def foreach(self, function: Function) -> Steps:
        """Call `function` for each record and keep the record."""
        return self._add("foreach", foreach=function)

    @_takes(1)
    def filter(self, function: Function) -> Steps:
        """Keep the records for which `function` is true."""
        return self._add("filter", filter=function)

    @_takes(1)
    def accumulate(self, function: Function) -> Steps:
        """Fold all records: `function(accumulator, record)`, which begins as None."""
        return self._add("accumulate", accumulate=function)

    @_takes(2, told="groupby")
    def localgroupby(self, extractor: Function, reducer: Function) -> Steps:
        """Fold the records of each key: `reducer(key, accumulator, record)`."""
        return self._fold_by_key("localgroupby", "groupby", extractor, reducer)

    @_takes(2)
    def groupby(self, extractor: Function, reducer: Function) -> Steps:
        """`localgroupby` over the records of all shards."""
        return self._fold_by_key("groupby", "groupby", extractor, reducer)

    @_takes(2)
    def batchgroupby(self, extractor: Function, reducer: Function) -> Steps:
        """Reduce the list of each key's records: `reducer(key, records)`."""
        return self._fold_by_key("batchgroupby", "batchgroupby", extractor, reducer)

    @_takes(1)
    def repartition(self, extractor: Function) -> Steps:
        """Move records to the shard of their key; there is one shard."""
        return self._add("repartition", repartition=extractor)

    @_takes(0)
    def collect(self) -> Steps:
        """Bring the records of all shards together; there is one shard."""
        return self._add("collect")

    @_takes(1, 2)
    def limit(self, length: int, start: int = 0) -> Steps:
        """Keep `length` records, from number `start` on; `limit(-1)` keeps all."""
        for number in (length, start):
            if not isinstance(number, int):
                raise GearsError("limit argument must be a number")
            if not -_INT64 <= number < _INT64:
                raise GearsError("limit argument must be a number of 64 bits")
        self.steps.append(Step("limit", start=start % UNSIGNED, length=length % UNSIGNED))
        return self

    def _fold_by_key(self, kind: str, told: str, extractor: Function, reducer: Function) -> Steps:
        functions = {f"{told} extractor": extractor, f"{told} reducer": reducer}
        return self._add(kind, **functions)

    def _add(self, kind: str, **functions: Function) -> Steps:
        for name, function in functions.items():
            if not is_function(function):
                raise GearsError(f"{name} argument must be a function")
        self.steps.append(Step(kind, tuple(functions.values())))
        return self


class PyFlatExecution(Steps):
    """What `gearsCtx` makes and a `GearsBuilder` has as its attribute of that name."""

    def __init__(self, reader: Any = "KeysReader", desc: Any = None, *_: Any) -> None:
        context = current.get()
        script = context.script if context is not None else None
        self.asked = script if script is not None else outside(context)
        """Who takes what is asked for: the script that runs, or else the runtime."""
        if not isinstance(reader, str):
            raise GearsError("reader argument must be a string")
        if not (desc is None or isinstance(desc, str)):
            raise GearsError("desc argument must be a string")
        if reader not in _READERS:
            raise GearsError("The given reader does not exists")
        self.asked.builder_made()
        self.reader = reader
        self.desc = desc
        self.steps = []

    def __str__(self) -> str:
        return "PyFlatExecution"

    def run(self, *arguments: Any, **options: Any) -> Any:
        """Run the flow once, as it is; the argument is what the reader reads."""
        if self.reader == "PythonReader" and len(arguments) != 1:
            raise GearsError("python reader function is not given")
        arg = arguments[0] if arguments else "*"
        return self.asked.request_run(self.reader, self.steps, arg, options)

    def register(self, *_: Any, **options: Any) -> str:
        """Run the flow, as it is, for every event to come; returns the registration's id."""
        return self.asked.request_registration(self.reader, self.desc, self.steps, options)


@in_c
def gearsCtx(*arguments: Any) -> PyFlatExecution:
    """`gearsCtx(reader='KeysReader', desc=None)`: a flow without what a `GearsBuilder` adds to it."""
    return PyFlatExecution(*arguments)

"""A step of a flow as its script declares it, and as RedisGears shows it. Pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

UNSIGNED = 2**64
"""RedisGears counts records by numbers without sign: a negative limit is a very large one."""


@dataclass(frozen=True)
class Step:
    """One operation: its kind, the user's functions and, for `limit`, its numbers."""

    kind: str
    functions: tuple[Callable[..., Any], ...] = ()
    start: int = 0
    length: int = 0
    blind: bool = False
    """Whether its function never looks at a record: a run over keys need not read them."""

    def pack(self) -> tuple[Any, ...]:
        """As built-in types, for pickling: what events need, whose key is read in any case."""
        return (self.kind, self.functions, self.start, self.length)

    def describe(self) -> list[tuple[str, str, str]]:
        """Types, names and arguments of its parts, as `RG.GETEXECUTION` shows them; the first comes first."""
        parts = _SHOWN[self.kind]
        functions = iter(self.functions)
        return [
            (kind, name, str(next(functions)) if name.startswith(_CALLBACK) else "")
            for kind, name in parts
        ]


_CALLBACK = "RedisGearsPy_PyCallback"
_EXTRACT = ("extractkey", f"{_CALLBACK}Extractor")
_REPARTITION = ("repartition", "repartition")
_BY_KEY = ("accumulatebykey", f"{_CALLBACK}AccumulateByKey")
_TO_PYTHON = ("map", "RedisGearsPy_ToPyRecordMapper")

_SHOWN: dict[str, list[tuple[str, str]]] = {
    "map": [("map", f"{_CALLBACK}Mapper")],
    "filter": [("filter", f"{_CALLBACK}Filter")],
    "foreach": [("foreach", f"{_CALLBACK}ForEach")],
    "flatmap": [("map", f"{_CALLBACK}FlatMapper"), ("flatmap", "flatmap")],
    "accumulate": [("accumulate", f"{_CALLBACK}Accumulate")],
    "localgroupby": [_EXTRACT, _BY_KEY, _TO_PYTHON],
    "groupby": [_EXTRACT, _REPARTITION, _BY_KEY, _TO_PYTHON],
    "batchgroupby": [
        *[_EXTRACT, _REPARTITION, ("group", "group")],
        *[("reduce", f"{_CALLBACK}Reducer"), _TO_PYTHON],
    ],
    "repartition": [_EXTRACT, _REPARTITION, ("map", "GetValueMapper")],
    "collect": [("collect", "collect")],
    "limit": [("limit", "limit")],
}

READ_STEP = (*_TO_PYTHON, "")
"""The step that RedisGears adds at the beginning."""

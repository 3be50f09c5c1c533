"""Which callables RedisGears takes as functions: those that are written in Python, and no others.

What its runtime offers is partly written in C there: `map(execute)` and `foreach(log)` are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeGuard, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

_in_c: set[Callable[..., Any]] = set()


def in_c(function: _Function) -> _Function:
    """Mark a function of the runtime that RedisGears has in C."""
    _in_c.add(function)
    return function


def is_function(value: object) -> TypeGuard[FunctionType]:
    """Whether RedisGears would take this as a function: no class, no partial, no bound method, nothing in C."""
    return isinstance(value, FunctionType) and value not in _in_c

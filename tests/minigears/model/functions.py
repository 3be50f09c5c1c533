"""The functions that generated flows are made of: as source text, and as what the specification says of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DROPPED = "Async record did not called continue"
EARLY = "Can not handle future untill it returned from the callback"
TWICE = "Can not create async record twice on the same step"
NO_ASYNC = "Step does not support async"


class Failed(Exception):
    """A function fails in a way that its caller tells; `str()` is part of the error's text."""


@dataclass(frozen=True)
class Body:
    """What a function computes: an expression over its arguments, here and there."""

    source: str
    compute: Callable[..., Any]


@dataclass(frozen=True)
class Function:
    """A function of a flow, and how it gives its value."""

    body: Body
    manner: str

    def source(self, name: str, arguments: str) -> str:
        """Its definition."""
        return _MANNERS[self.manner].format(name=name, arguments=arguments, value=self.body.source)

    def call(
        self, *arguments: Any, waits: bool = True, where: str = "", folds: bool = False
    ) -> Any:
        """Its final value; raises Failed. A step that cannot wait tells what it calls it: `where`."""
        if not waits and self.manner == "coroutine":
            raise Failed(f"coroutine are not allow on {where}")
        if not waits and self.manner in _MAKES_FUTURE:
            raise Failed(NO_ASYNC)
        if folds and self.manner in ("unreturned", "early", "twice"):
            return None  # a future that was made and not returned, whatever the function did
        if self.manner in _ERRORS:
            raise Failed(_ERRORS[self.manner])
        try:
            value = self.body.compute(*arguments)
        except Exception as error:
            if folds and self.manner in _MAKES_FUTURE:
                return None
            told = str(error) if self.manner == "coroutine" else type(error).__name__
            raise Failed(told) from None
        if self.manner == "failing future":
            raise Failed(f"failed {value}")
        return value


_MANNERS = {
    "plain": "def {name}({arguments}): return {value}\n",
    "coroutine": "async def {name}({arguments}):\n    await asyncio.sleep(0)\n    return {value}\n",
    "future": (
        "def {name}({arguments}):\n    future = gearsFuture()\n    value = {value}\n"
        "    threading.Thread(target=future.continueRun, args=(value,)).start()\n    return future\n"
    ),
    "failing future": (
        "def {name}({arguments}):\n    future = gearsFuture()\n    value = {value}\n"
        "    threading.Thread(target=future.continueFailed, args=('failed %s' % (value,),)).start()\n"
        "    return future\n"
    ),
    "unreturned": (
        "def {name}({arguments}):\n    kept.append(gearsFuture())\n    return {value}\n"
    ),
    "dropped": "def {name}({arguments}): return gearsFuture()\n",
    "early": (
        "def {name}({arguments}):\n    future = gearsFuture()\n"
        "    future.continueRun(1)\n    return future\n"
    ),
    "twice": "def {name}({arguments}):\n    first = gearsFuture()\n    return gearsFuture()\n",
}
_MAKES_FUTURE = frozenset(_MANNERS) - {"plain", "coroutine"}
_ERRORS = {"dropped": DROPPED, "early": EARLY, "twice": TWICE}

_ONE = [
    Body("x", lambda x: x),
    Body("[x, 1]", lambda x: [x, 1]),
    Body("x * 2", lambda x: x * 2),
    Body("x > 2", lambda x: x > 2),
    Body("10 // (x - 2)", lambda x: 10 // (x - 2)),
    Body("len(str(x))", lambda x: len(str(x))),
    Body("None", lambda x: None),
]
_KEY = [
    Body("x % 2", lambda x: x % 2),
    Body("'all'", lambda x: "all"),
    Body("[x]", lambda x: [x]),
    Body("b'%d' % x", lambda x: b"%d" % x),
]
_FOLD = [
    Body("(a or 0) + 1", lambda a, x: (a or 0) + 1),
    Body("[*(a or []), x]", lambda a, x: [*(a or []), x]),
    Body("1 // (len(a or []) - 1)", lambda a, x: 1 // (len(a or []) - 1)),
]


def one(rng: random.Random, plain: bool) -> Function:
    """A function of one record."""
    return Function(rng.choice(_ONE), _manner(rng, plain))


def key(rng: random.Random, plain: bool) -> Function:
    """What a record is grouped by."""
    return Function(rng.choice(_KEY), _manner(rng, plain, 0.9))


def fold(rng: random.Random, plain: bool) -> Function:
    """A function of what was gathered so far and a record."""
    return Function(rng.choice(_FOLD), _manner(rng, plain))


def _manner(rng: random.Random, only_plain: bool, plain: float = 0.6) -> str:
    return "plain" if only_plain or rng.random() < plain else rng.choice(list(_MANNERS))

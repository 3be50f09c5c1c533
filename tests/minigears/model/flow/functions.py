"""The functions that generated flows are made of: as source text, and as what the specification says of them.

Where RedisGears's documentation is silent, this is what holds:

* A coroutine that raises fails with the text of what it raised, without a traceback: RedisGears hands it to
  `continueFailed`, which takes `str()` of it.
* `continueFailed` may come before the future is returned, `continueRun` may not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DROPPED = "Async record did not called continue"
EARLY = "Can not handle future untill it returned from the callback"
TWICE = "Can not create async record twice on the same step"
NO_ASYNC = "Step does not support async"
NO_STEP = "Future object can only be created inside certain execution steps"


class Failed(Exception):
    """A function fails in a way that its caller tells; `str()` is part of the error's text, or `whole` of it."""

    def __init__(self, text: str, whole: bool = False):
        super().__init__(text)
        self.whole = whole

    def fits(self, told: str) -> bool:
        """Whether this is the error that was told."""
        return told == str(self) if self.whole else str(self) in told


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
        if not waits and self.manner in _COROUTINES:
            raise Failed(f"coroutine are not allow on {where}")
        if not waits and self.manner in _MAKES_FUTURE:
            raise Failed(NO_ASYNC)
        if folds and self.manner in _NONE_OF_A_FOLD:
            return None  # a future that was made and not returned, whatever the function did
        if self.manner in _ERRORS:
            raise Failed(_ERRORS[self.manner], self.manner in _COROUTINES)
        try:
            value = self.body.compute(*arguments)
        except Exception as error:
            if folds and self.manner in _MAKES_FUTURE:
                return None
            if self.manner in _COROUTINES:
                raise Failed(str(error), whole=True) from None
            raise Failed(type(error).__name__) from None
        if self.manner in _FAILS_WITH_ITS_VALUE:
            raise Failed(f"failed {value}", whole=True)
        return [[value], []] if self.manner == "awaited run" else value


_MANNERS = {
    "plain": "def {name}({arguments}): return {value}\n",
    "coroutine": """
async def {name}({arguments}):
    await asyncio.sleep(0)
    return {value}
""",
    "raising coroutine": """
async def {name}({arguments}):
    value = {value}
    raise ValueError('failed %s' % (value,))
""",
    "future in a coroutine": "async def {name}({arguments}): return gearsFuture()\n",
    "await in atomic": """
async def {name}({arguments}):
    with atomic(): await asyncio.sleep(0.001)
""",
    "awaited run": """
async def {name}({arguments}):
    value = {value}
    def once(): yield value
    return await GB('PythonReader').run(once, convertToStr=False)
""",
    "future": """
def {name}({arguments}):
    future = gearsFuture()
    value = {value}
    threading.Thread(target=future.continueRun, args=(value,)).start()
    return future
""",
    "continued twice": """
def {name}({arguments}):
    future = gearsFuture()
    value = {value}
    def both():
        future.continueRun(value)
        for late in (future.continueRun, future.continueFailed):
            try: late('too late')
            except Exception as error: kept.append(str(error))
    threading.Thread(target=both).start()
    return future
""",
    "run as a coroutine": """
def {name}({arguments}):
    future = gearsFuture()
    value = {value}
    async def later(): return value
    runCoroutine(later(), future)
    return future
""",
    "failing future": """
def {name}({arguments}):
    future = gearsFuture()
    value = {value}
    threading.Thread(target=future.continueFailed, args=(ValueError('failed %s' % (value,)),)).start()
    return future
""",
    "failed early": """
def {name}({arguments}):
    future = gearsFuture()
    value = {value}
    future.continueFailed('failed %s' % (value,))
    return future
""",
    "unreturned": """
def {name}({arguments}):
    kept.append(gearsFuture())
    return {value}
""",
    "dropped": "def {name}({arguments}): return gearsFuture()\n",
    "early": """
def {name}({arguments}):
    future = gearsFuture()
    future.continueRun(1)
    return future
""",
    "twice": """
def {name}({arguments}):
    first = gearsFuture()
    return gearsFuture()
""",
    "future and coroutine": """
def {name}({arguments}):
    kept.append(gearsFuture())
    async def late(): return 1
    return late()
""",
    "future in atomic": """
def {name}({arguments}):
    with atomic(): return gearsFuture()
""",
}
_COROUTINES = frozenset(
    {
        "coroutine",
        "raising coroutine",
        "future in a coroutine",
        "await in atomic",
        "awaited run",
    }
)
_MAKES_FUTURE = frozenset(_MANNERS) - _COROUTINES - {"plain", "future in atomic"}
_NONE_OF_A_FOLD = frozenset({"unreturned", "early", "twice", "future and coroutine"})
_ERRORS = {
    "dropped": DROPPED,
    "early": EARLY,
    "twice": TWICE,
    "future and coroutine": TWICE,
    "future in atomic": "atomic",
    "future in a coroutine": NO_STEP,
    "await in atomic": "await is not allow inside atomic block",
}
_FAILS_WITH_ITS_VALUE = frozenset({"raising coroutine", "failing future", "failed early"})

_NOT_FOR_KEYS = frozenset({"future in atomic"})
"""Which of its two errors an extractor tells nobody says."""

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
    manner = _manner(rng, plain, 0.9)
    return Function(rng.choice(_KEY), "plain" if manner in _NOT_FOR_KEYS else manner)


def fold(rng: random.Random, plain: bool) -> Function:
    """A function of what was gathered so far and a record."""
    return Function(rng.choice(_FOLD), _manner(rng, plain))


def _manner(rng: random.Random, only_plain: bool, plain: float = 0.6) -> str:
    return "plain" if only_plain or rng.random() < plain else rng.choice(list(_MANNERS))

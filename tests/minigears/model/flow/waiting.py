"""Triggers that wait for a future, and triggers that continue it, as the specification has them.

Where RedisGears's documentation is silent, this is what holds, by its source:

* What waits is an execution that runs, in each mode: it is listed, and can be aborted.
* What is aborted where it waits answers with what it has so far. Nothing has failed; it counts as aborted.
* Who continues the future of one that was aborted hears of no error, the first time.
* Those that wait outlive their registration, unless that is taken out with ABORTPENDING.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.minigears.model.flow.functions import DROPPED, Failed

AGAIN = "Can not continue with the same future twice"
STEPS = {
    "map": "map(hold)",
    "filter": "filter(hold)",
    "foreach": "foreach(hold)",
    "flatmap": "flatmap(hold)",
    "accumulate": "accumulate(lambda a, x: hold(x))",
    "groupby": "groupby(lambda x: 'all', lambda k, a, x: hold(x))",
    "a coroutine": "map(await_it)",
}
VALUES = [1, 0, "", "x", [1, 2], [], None]
SCRIPT = """
import asyncio
held = {}
def hold(x):
    held[x[1]] = gearsFuture()
    return held[x[1]]
class Awaited:
    def __init__(self): self.future, self.done = asyncio.get_running_loop().create_future(), False
    def continueRun(self, value): self._settle(self.future.set_result, value)
    def continueFailed(self, error): self._settle(self.future.set_exception, ValueError(error))
    def _settle(self, put, value):
        if self.done: raise ValueError('Can not continue with the same future twice')
        self.done = True
        self.future.get_loop().call_soon_threadsafe(lambda: self.future.done() or put(value))
async def await_it(x):
    held[x[1]] = Awaited()
    return await held[x[1]].future
"""
OTHERS = """
GB('CommandReader').map(lambda x: held[x[1]].continueRun(eval(x[2]))).register(trigger='go', mode='{mode}')
GB('CommandReader').map(lambda x: held[x[1]].continueFailed(x[2])).register(trigger='fail', mode='{mode}')
GB('CommandReader').map(lambda x: held.pop(x[1]) and 'dropped').register(trigger='drop', mode='{mode}')
GB('CommandReader').map(lambda x: x[1] in held).register(trigger='held', mode='sync')
"""


@dataclass
class Holder:
    """A trigger whose runs wait."""

    name: str
    mode: str
    step: str
    id: str = ""
    registered: bool = True
    triggered: int = 0
    success: int = 0
    failures: int = 0
    aborted: int = 0
    last_error: str | None = None

    def source(self) -> str:
        """What a script registers it with."""
        last = f"register(trigger={self.name!r}, mode={self.mode!r})"
        return f"GB('CommandReader').{STEPS[self.step]}.{last}\n"

    def results(self, word: str, value: Any) -> list[str]:
        """What its client gets when its future is continued with this value."""
        record = str([self.name, word])
        if self.step == "filter":
            return [record] if value else []
        if self.step == "flatmap" and type(value) is list:
            return [str(one) for one in value[::-1]]
        if self.step == "groupby":
            return [str({"key": "all", "value": value})]
        return [record if self.step == "foreach" else str(value)]

    def counts(self) -> dict[str, Any]:
        """What RG.DUMPREGISTRATIONS has of it."""
        return {
            "numTriggered": self.triggered,
            "numSuccess": self.success,
            "numFailures": self.failures,
            "numAborted": self.aborted,
            "lastError": self.last_error,
        }


@dataclass
class Waiting:
    """Who waits for what: `waiting` by the word that each was given."""

    holders: list[Holder]
    waiting: dict[str, Holder] = field(default_factory=dict)
    orphans: set[str] = field(default_factory=set)
    """Words whose future was not continued, but nobody waits for it any more."""
    over: set[str] = field(default_factory=set)
    """Words whose future was continued."""

    @classmethod
    def made(cls, rng: random.Random) -> Waiting:
        """A few holders."""
        steps = rng.sample(list(STEPS), 3)
        modes = [rng.choice(["sync", "async", "async_local"]) for _ in steps]
        return cls(
            [
                Holder(f"t{n}", mode, step)
                for n, (mode, step) in enumerate(zip(modes, steps, strict=True))
            ]
        )

    def hold(self, holder: Holder, word: str) -> None:
        """A client calls a trigger."""
        holder.triggered += 1
        self.waiting[word] = holder

    @property
    def words(self) -> list[str]:
        """Those whose future is known, in the same order always."""
        return sorted([*self.waiting, *self.orphans, *self.over])

    def go(self, word: str, value: Any) -> list[str] | None:
        """Continue one: what its client gets; raises Failed, for the one who asks."""
        holder = self._taken(word)
        if holder is None:
            return None
        holder.success += 1
        holder.last_error = None
        return holder.results(word, value)

    def fail(self, word: str, error: str) -> Failed | None:
        """Continue one with an error: what its client gets; raises Failed, for the one who asks."""
        holder = self._taken(word)
        if holder is None:
            return None
        self._failed(holder, error)
        return Failed(error, whole=True)

    def drop(self, word: str) -> Failed | None:
        """Forget one's future: what its client gets, None for nothing; raises Failed, for the one who asks."""
        if word not in self.words:
            raise Failed("KeyError")
        if word not in self.waiting:
            self.over.discard(word)
            self.orphans.discard(word)
            return None
        self._failed(self.waiting.pop(word), DROPPED)
        return Failed(DROPPED, whole=True)

    def abort(self, word: str) -> list[str]:
        """Abort one that waits: what its client gets."""
        self.waiting[word].aborted += 1
        del self.waiting[word]
        self.orphans.add(word)
        return []

    def _taken(self, word: str) -> Holder | None:
        if word in self.over:
            raise Failed(AGAIN)
        if word not in self.words:
            raise Failed("KeyError")
        self.over.add(word)
        self.orphans.discard(word)
        return self.waiting.pop(word, None)

    @staticmethod
    def _failed(holder: Holder, error: str) -> None:
        holder.failures += 1
        holder.last_error = error

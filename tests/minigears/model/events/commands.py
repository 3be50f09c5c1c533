"""CommandReader registrations as the specification has them: triggers, and hooks in front of APPEND.

Where RedisGears's documentation is silent, this is what holds:

* A hook that is not `sync` may be the last one in front of a command, and goes with its session when that is replaced.
* What a hook's `call_next` does raises no events for registrations with `commands`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.minigears.model.events.counts import Counts

TRIGGERS = {
    "echo": "map(lambda x: x[1:])",
    "fail": "map(lambda x: 1 // 0)",
    "flat": "map(lambda x: flat_error('FLAT no'))",
    "nothing": "filter(lambda x: False)",
    "many": "flatmap(lambda x: x[1:])",
    "write": "foreach(lambda x: execute('SET', 'a:2', x[1])).map(lambda x: 'written')",
}
HOOKS = {
    "next": "map(lambda x: call_next(*x[1:]))",
    "shout": "map(lambda x: call_next(x[1], x[2] + '!'))",
    "block": "map(lambda x: 'no')",
    "fail": "map(lambda x: 1 // 0)",
    "two": "flatmap(lambda x: [1, 2])",
}
ONE_RESULT = "Command hook must return exactly one result"


class Refused(Exception):
    """An error reply; `str()` is part of it."""


@dataclass
class Command(Counts):
    """A CommandReader registration."""

    body: str
    trigger: str | None = None
    prefix: str | None = None
    """Of a hook: that of its keys."""

    @classmethod
    def made(cls, rng: random.Random, number: int) -> Command:
        """Any one."""
        mode = rng.choice(["sync", "sync", "async", "async_local"])
        if rng.random() < 0.6:
            body, trigger = rng.choice(list(TRIGGERS)), rng.choice(["t1", "t2", "t3"])
            return cls(body, trigger, number=number, mode=mode)
        prefix = rng.choice([None, "a:", "a:1"])
        return cls(rng.choice(list(HOOKS)), None, prefix, number=number, mode=mode)

    @property
    def sync(self) -> bool:
        """Whether the client's command is answered in its turn."""
        return self.mode == "sync"

    def source(self) -> str:
        """What a script registers it with."""
        body = HOOKS[self.body] if self.trigger is None else TRIGGERS[self.body]
        given = f"trigger={self.trigger!r}" if self.trigger else "hook='APPEND'"
        given += f", keyprefix={self.prefix!r}" if self.prefix else ""
        return f"GB('CommandReader', desc='r{self.number}').{body}.register({given}, mode='{self.mode}')\n"

    def refused(self, beside: list[Command], before: list[Command]) -> str | None:
        """Why it cannot stand beside others, and behind those of the same script."""
        if self.trigger is not None:
            if any(other.trigger == self.trigger for other in before):
                return "trigger already registered in this session"
            taken = any(other.trigger == self.trigger for other in beside)
            return "trigger already registered" if taken else None
        words = "Can not override a none sync registration"
        if any(other.trigger is None and not other.sync for other in before):
            return f"{words} which already created on this session"
        taken = any(other.trigger is None and not other.sync for other in beside)
        return words if taken else None

    def stands_before(self, key: str) -> bool:
        """Whether it is a hook for this key."""
        return self.trigger is None and key.startswith(self.prefix or "")

    def run(self, words: list[str], write: Callable[[str], None]) -> list[str]:
        """RG.TRIGGER with these words, the name among them; raises Refused."""
        self.triggered += 1
        self.last_error = None
        if self.body in ("fail", "flat"):
            self._failed("ZeroDivisionError" if self.body == "fail" else "FLAT no")
        if self.body == "write":
            write(words[1])
        results = {
            "echo": [str(words[1:])],
            "nothing": [],
            "many": words[:0:-1],
            "write": ["written"],
        }
        return results[self.body]

    def hook(self, words: list[str], call_next: Callable[[list[str]], Any]) -> str:
        """Answer APPEND; raises Refused."""
        self.triggered += 1
        self.last_error = None
        if self.body == "fail":
            self._failed("ZeroDivisionError")
        if self.body == "two":
            raise Refused(ONE_RESULT)
        if self.body == "block":
            return "no"
        key, value = words
        try:
            return str(call_next([key, value + ("!" if self.body == "shout" else "")]))
        except Refused as error:
            self._failed(str(error))
            raise AssertionError("unreachable") from None

    def _failed(self, error: str) -> None:
        self.failures += 1
        self.last_error = error
        raise Refused(error)

    def data(self) -> dict[str, Any]:
        """What RG.DUMPREGISTRATIONS has of it."""
        return self.shown(self.trigger or "APPEND", 0)

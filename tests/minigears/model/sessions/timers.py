"""Timers of `registerTE`, as the specification has them.

Where RedisGears's documentation is silent, this is what holds, by its source:

* A key that is there is not taken: `registerTE` is false, whatever the key holds.
* A timer whose callback raises stops, and its key stays. Who deletes the key may begin another one.
* A callback may begin and end timers; what it returns, a coroutine too, is thrown away.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

NAMES = ["te:1", "te:2", "te:3"]
SCRIPT = """
def begin(x):
    name = x[1]
    def tick():
        execute('INCR', 'ticks:' + name)
        if execute('EXISTS', 'broken:' + name): 1 / 0
    return registerTE(0, tick, name)
def clock():
    execute('INCR', 'clock:{seed}')
    if execute('EXISTS', 'midnight:{seed}'): 1 / 0
registerTE(0, clock)
GB('CommandReader').map(begin).register(trigger='begin', mode='{mode}')
"""


@dataclass
class Timer:
    """One name: whether there is a key, and whether a timer ticks."""

    name: str
    there: bool = False
    ticks: bool = False
    broken: bool = False

    def begin(self) -> bool:
        """registerTE: whether it begins."""
        if self.there:
            return False
        self.there, self.ticks = True, not self.broken
        return True

    def end(self) -> None:
        """DEL its key."""
        self.there = self.ticks = False

    def overwrite(self) -> None:
        """SET its key."""
        self.there, self.ticks = True, False

    def break_it(self) -> None:
        """From now on its callback raises."""
        self.broken, self.ticks = True, False

    def mend(self) -> None:
        """Its callback raises no longer."""
        self.broken = False


@dataclass
class Timers:
    """All of them."""

    timers: list[Timer] = field(default_factory=lambda: [Timer(name) for name in NAMES])

    def step(self, rng: random.Random) -> tuple[list[str], str]:
        """Do something: the command, and its reply as text."""
        timer = rng.choice(self.timers)
        name, there, broken = timer.name, timer.there, timer.broken
        doing = rng.random()
        if doing < 0.4:
            return ["RG.TRIGGER", "begin", name], str([str(timer.begin())])
        if doing < 0.6:
            timer.end()
            return ["DEL", name], str(int(there))
        if doing < 0.7:
            timer.overwrite()
            return ["SET", name, "mine"], "OK"
        if doing < 0.85:
            timer.break_it()
            return ["SET", f"broken:{name}", "1"], "OK"
        timer.mend()
        return ["DEL", f"broken:{name}"], str(int(broken))

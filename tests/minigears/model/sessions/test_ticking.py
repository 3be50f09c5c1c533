"""Timers begun, ended and broken at random, beside the model: which of them tick."""

from __future__ import annotations

import random

import pytest
import redis

from tests.minigears.model.sessions.timers import SCRIPT, Timers
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

TURNS = 5
"""Of a clock that always ticks: within them others tick, too, unless the machine is busy."""


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, client: redis.Redis, seed: int):
        self.client, self.rng = client, random.Random(seed)
        client.response_callbacks.pop("SET")  # redis-py makes a boolean of its reply
        self.told, self.model = [f"seed {seed}"], Timers()
        self.clock = f"clock:{seed}"
        source = SCRIPT.format(mode=self.rng.choice(["sync", "async"]), seed=seed)
        client.execute_command("RG.PYEXECUTE", source)

    def step(self) -> None:
        """Do something, and compare."""
        words, expected = self.model.step(self.rng)
        self.told.append(" ".join(words))
        said = self.client.execute_command(*words)
        assert str(said) == expected, "\n".join([*self.told, str(said), expected])
        ticking = [timer.ticks for timer in self.model.timers]
        context = "\n".join([*self.told, str(ticking)])
        wait_for(lambda: self._seen() == ticking, what=context)  # one that stops may tick once more

    def end(self) -> None:
        """Stop all."""
        for timer in self.model.timers:
            self.client.delete(timer.name)
        self.client.set(self.clock.replace("clock", "midnight"), "1")
        for registration in self.client.execute_command("RG.DUMPREGISTRATIONS"):
            self.client.execute_command("RG.UNREGISTER", registration[1])

    def _seen(self) -> list[bool]:
        """Which of them tick within a few turns of the clock."""
        before = self._ticks()
        last = int(self.client.get(self.clock) or 0) + TURNS
        wait_for(lambda: int(self.client.get(self.clock) or 0) >= last, what="the clock")
        return [after > first for first, after in zip(before, self._ticks(), strict=True)]

    def _ticks(self) -> list[int]:
        names = [f"ticks:{timer.name}" for timer in self.model.timers]
        return [int(count or 0) for count in self.client.mget(names)]


def run(gears: MiniGears, seed: int, steps: int = 12) -> None:
    """One history, on an empty server."""
    with gears.client() as client:
        client.flushall()
        history = History(client, seed)
        for _ in range(steps):
            history.step()
        history.end()


@pytest.mark.waits
def test_a_few_timers(gears: MiniGears):
    for seed in range(2):
        run(gears, seed)


@pytest.mark.long
@pytest.mark.waits
def test_many_timers(gears: MiniGears):
    for seed in range(2, 60):
        run(gears, seed)

"""Triggers that wait, continued, dropped and aborted at random, beside the model: who gets what."""

from __future__ import annotations

import queue
import random
from typing import Any

import hiredis
import pytest

from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.model.flow.functions import Failed
from tests.minigears.model.flow.waiting import OTHERS, SCRIPT, VALUES, Holder, Waiting
from tests.minigears.realredis import wait_for


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, door: FakeDoor, seed: int):
        self.door, self.rng = door, random.Random(seed)
        self.told = [f"seed {seed}"]
        self.model = Waiting.made(self.rng)
        self.replies: dict[str, queue.SimpleQueue[Any]] = {}
        holders = "".join(holder.source() for holder in self.model.holders)
        mode = self.rng.choice(["sync", "async", "async_local"])
        self.call("RG.PYEXECUTE", SCRIPT + holders + OTHERS.format(mode=mode), "ID", "s")
        for holder, registration in zip(self.model.holders, self.door.ids, strict=False):
            holder.id = registration

    def call(self, *words: str) -> Any:
        """The reply to a command."""
        self.told.append(" ".join(words))
        return self.door.call(*words)

    def step(self) -> None:
        """Do something, and compare."""
        model, rng = self.model, self.rng
        registered = [holder for holder in model.holders if holder.registered]
        doing = rng.random()
        if doing < 0.45 and registered:
            self._hold(rng.choice(registered))
        elif doing < 0.85:
            self._settle(rng.choice([*model.waiting, *model.words, "never"]))
        elif doing < 0.95 and model.waiting:
            self._abort()
        elif registered:
            self._unregister(rng.choice(registered), rng.random() < 0.5)
        self._compare()

    def end(self) -> None:
        """Let all that wait end."""
        for word in list(self.model.waiting):
            self._settle(word, "go")
        self._compare()
        for registration in self.door.ids:
            self.door.call("RG.UNREGISTER", registration)

    def _hold(self, holder: Holder) -> None:
        word = f"w{len(self.replies)}"
        self.told.append(f"RG.TRIGGER {holder.name} {word}")
        self.replies[word] = self.door.send("RG.TRIGGER", holder.name, word)
        self.model.hold(holder, word)
        wait_for(lambda: self.door.call("RG.TRIGGER", "held", word) == [b"True"], what=word)
        wait_for(lambda: len(self._states()) == len(self.model.waiting), what=self._context)

    def _settle(self, word: str, how: str | None = None) -> None:
        model, rng = self.model, self.rng
        how = how or rng.choice(["go", "go", "fail", "drop"])
        holder = model.waiting.get(word)
        if how == "drop" and holder is not None and holder.step == "a coroutine":
            how = "go"  # it would wait for ever
        value = rng.choice(VALUES)
        given = {"go": repr(value), "fail": "MYERR it is", "drop": ""}[how]
        waited = word in model.waiting
        try:
            expected: Any = {
                "go": lambda: model.go(word, value),
                "fail": lambda: model.fail(word, given),
                "drop": lambda: model.drop(word),
            }[how]()
        except Failed as error:
            self._same(self.call("RG.TRIGGER", how, word, given), error)
            return
        said = ["dropped"] if how == "drop" else ["None"]
        self._same(self.call("RG.TRIGGER", how, word, given), said)
        if waited:
            self._same(self.replies[word].get(timeout=30), expected)

    def _abort(self) -> None:
        running = [row[1].decode() for row in self.door.call("RG.DUMPEXECUTIONS")]
        self._same(self.call("RG.ABORTEXECUTION", self.rng.choice(running)), "OK")
        answered = lambda: [w for w in self.model.waiting if not self.replies[w].empty()]  # noqa: E731
        wait_for(answered, what=self._context)
        [word] = answered()
        self._same(self.replies[word].get(timeout=30), self.model.abort(word))

    def _unregister(self, holder: Holder, abort: bool) -> None:
        said = self.call("RG.UNREGISTER", holder.id, *["ABORTPENDING"] * abort)
        self._same(said, "OK")
        holder.registered = False
        for word in [w for w, h in self.model.waiting.items() if h is holder and abort]:
            self._same(self.replies[word].get(timeout=30), self.model.abort(word))

    def _same(self, said: Any, expected: Any) -> None:
        context = f"{self._context()}\n{said!r}\n{expected!r}"
        if isinstance(expected, Failed):
            assert isinstance(said, hiredis.ReplyError), context
            assert expected.fits(str(said)), context
        else:
            plain = [r.decode() for r in said] if isinstance(said, list) else said.decode()
            assert plain == expected, context

    def _context(self) -> str:
        return "\n".join(self.told)

    def _states(self) -> list[tuple[bytes, int]]:
        return [tuple(row[3::2]) for row in self.door.call("RG.DUMPEXECUTIONS")]

    def _compare(self) -> None:
        context = self._context()
        assert [w for w in self.model.waiting if not self.replies[w].empty()] == [], context
        assert self._states() == [(b"running", 1)] * len(self.model.waiting), context
        for holder in self.model.holders:
            if holder.registered:
                expected = holder.counts()
                found = {name: self.door.stats(holder.id)[name] for name in expected}
                error = found["lastError"]
                found["lastError"] = error if error is None else error.decode()
                assert found == expected, context


def run(door: FakeDoor, seed: int, steps: int = 20) -> None:
    history = History(door, seed)
    for _ in range(steps):
        history.step()
    history.end()


def test_a_few_that_wait(executor: FakeDoor):
    for seed in range(10):
        run(executor, seed)


@pytest.mark.long
def test_many_that_wait(executor: FakeDoor):
    for seed in range(10, 500):
        run(executor, seed)

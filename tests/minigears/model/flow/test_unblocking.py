"""Runs that nobody waits for, beside the model: asked about, aborted and dropped at random."""

from __future__ import annotations

import queue
import random
from collections.abc import Callable
from typing import Any

import hiredis
import pytest

from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.model.flow.functions import Failed
from tests.minigears.model.flow.unblocking import MISSING, WORKERS, Run, Runs
from tests.minigears.realredis import wait_for


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, door: FakeDoor, seed: int):
        self.door, self.rng = door, random.Random(seed)
        self.told = [f"seed {seed}"]
        self.model, self.made, self.torn = Runs(), 0, 0
        self.asked: list[tuple[Run, queue.SimpleQueue[Any]]] = []
        """Clients that wait for results."""

    def call(self, *words: str) -> Any:
        """The reply to a command."""
        self.told.append(" ".join(words))
        return self.door.call(*words)

    def step(self) -> None:
        """Do something, and compare."""
        model, rng = self.model, self.rng
        doing = rng.random()
        execution = rng.choice([*model.listed, f"{'0' * 40}-99999", "none"])
        if doing < 0.3:
            self._begin()
        elif doing < 0.5 and model.unfinished:
            self._open(rng.choice(model.unfinished))
        elif doing < 0.6:
            self._same("RG.GETRESULTS", execution, model.results)
        elif doing < 0.7:
            self._ask(execution)
        elif doing < 0.8:
            self._same("RG.DROPEXECUTION", execution, model.drop)
        elif doing < 0.9:
            self._abort(execution)
        else:
            self._same("RG.GETEXECUTION", execution, model.plan)
        self._compare()

    def end(self) -> None:
        """Let all end, and forget them."""
        for run in self.model.unfinished:
            self._open(run)
        self._compare()
        for execution in list(self.model.listed):
            self._same("RG.DROPEXECUTION", execution, self.model.drop)
        self._compare()
        self.door.script("execute('FLUSHALL')")

    def _begin(self) -> None:
        unfinished = self.model.unfinished
        coroutine = self.rng.random() < 0.4
        if len(unfinished) >= WORKERS - 1 and (coroutine or any(r.coroutine for r in unfinished)):
            return  # who goes on first, a coroutine or one that has not begun, is a matter of luck
        run = Run.made(self.rng, self.made, coroutine)
        self.made += 1
        said = self.call("RG.PYEXECUTE", run.source(), "UNBLOCKING")
        self.model.begin(run, said.decode())
        waits = f"GB('ShardsIDReader').map(lambda x: execute('EXISTS', 'waits:{run.number}')).run()"
        while coroutine and self.door.results(waits) == [b"0"]:
            pass

    def _abort(self, execution: str) -> None:
        run = self.model.listed.get(execution)
        waits = run is not None and run.coroutine and not run.over
        self._same("RG.ABORTEXECUTION", execution, self.model.abort)
        if waits and "done" in {state for name, state, _ in self._states() if name == execution}:
            self.model.torn(execution)  # a matter of luck, and rare
            self.torn += 1

    def _open(self, run: Run) -> None:
        self.told.append(f"SET open:{run.number} 1")
        self.door.script(f"execute('SET', 'open:{run.number}', '1')")
        self.model.open(run)

    def _ask(self, execution: str) -> None:
        self.told.append(f"RG.GETRESULTSBLOCKING {execution}")
        reply = self.door.send("RG.GETRESULTSBLOCKING", execution)
        if execution in self.model.listed:
            self.asked.append((self.model.listed[execution], reply))
        else:
            assert MISSING in str(reply.get(timeout=30)), self._context()

    def _same(self, command: str, execution: str, ask: Callable[[str], Any]) -> None:
        said = self.call(command, execution)
        try:
            expected: Any = ask(execution)
        except Failed as error:
            expected = error
        if isinstance(expected, Failed):
            assert isinstance(said, hiredis.ReplyError), self._context(said, expected)
            assert expected.fits(str(said)), self._context(said, expected)
        elif expected == "OK":
            assert said == b"OK", self._context(said)
        elif isinstance(expected, dict):
            self._same_plan(said, expected)
        else:
            self._same_reply(said, expected)

    def _same_plan(self, said: Any, expected: dict[str, Any]) -> None:
        plan = dict(zip(said[0][3][::2], said[0][3][1::2], strict=True))
        found = {
            "status": plan[b"status"].decode(),
            "results": plan[b"results"],
            "errors": len(plan[b"errors"]),
            "steps": [step[1].decode() for step in plan[b"steps"]],
        }
        assert found == expected, self._context(found, expected)

    def _same_reply(self, said: Any, expected: tuple[list[str], list[Failed]]) -> None:
        results, errors = expected
        assert not isinstance(said, hiredis.ReplyError), self._context(said, expected)
        assert [r.decode() for r in said[0]] == results, self._context(said, expected)
        fit = [e.fits(one.decode()) for e, one in zip(errors, said[1], strict=True)]
        assert all(fit), self._context(said, expected)

    def _context(self, *more: Any) -> str:
        return "\n".join([*self.told, *map(repr, more)])

    def _compare(self) -> None:
        expected = {(run.id, run.status, 0) for run in self.model.listed.values()}
        wait_for(
            lambda: self._states() == expected, 20, lambda: self._context(self._states(), expected)
        )
        left = []
        for run, reply in self.asked:
            if run.over:
                self._same_reply(reply.get(timeout=30), run.reply())
            else:
                assert reply.empty(), self._context()
                left.append((run, reply))
        self.asked = left

    def _states(self) -> set[tuple[str, str, int]]:
        rows = self.door.call("RG.DUMPEXECUTIONS")
        return {(row[1].decode(), row[3].decode(), row[5]) for row in rows}


def run(door: FakeDoor, seed: int, steps: int = 25) -> int:
    """How many were torn."""
    history = History(door, seed)
    for _ in range(steps):
        history.step()
    history.end()
    return history.torn


def test_a_few_runs(executor: FakeDoor):
    assert sum(run(executor, seed) for seed in range(8)) < 2


@pytest.mark.long
def test_many_runs(executor: FakeDoor):
    assert sum(run(executor, seed) for seed in range(8, 400)) < 20

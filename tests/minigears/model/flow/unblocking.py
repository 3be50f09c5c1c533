"""Runs that nobody waits for, and the commands that ask about them, as the specification has them.

Where RedisGears's documentation is silent, this is what holds, by its source and as recorded:

* Three run at once, in the order in which they came. One that waits for a coroutine leaves its place to others.
* What is aborted before it has begun, or where it waits, ends as `aborted`, with what it has so far and no error.
  A function that is stopped has failed: its run is `done`.
* To abort what has ended changes nothing. What has been aborted may be dropped at once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.minigears.model.flow.functions import Failed

WORKERS = 3
MISSING, UNKNOWN = "execution plan does not exist", "execution does not exist"
RUNNING = "execution is still running"
UNFINISHED = "can not drop a not yet finished execution, abort it first."
SCRIPT = """
import asyncio, time
def read(): yield from {records}
def gate(x):
    while not execute('EXISTS', 'open:{n}'): time.sleep(0.002)
    if x == {bad}: 1 / 0
    return x
async def wait(x):
    if x == {last}: execute('SET', 'waits:{n}', '1')
    while not execute('EXISTS', 'open:{n}'): await asyncio.sleep(0.002)
    if x == {bad}: 1 / 0
    return x
GB('PythonReader').map({function}).run(read)
"""


@dataclass
class Run:
    """One run: it waits until its key is there."""

    number: int
    records: list[int]
    bad: int
    coroutine: bool
    id: str = ""
    status: str = "created"
    results: list[str] = field(default_factory=list)
    errors: list[Failed] = field(default_factory=list)

    @classmethod
    def made(cls, rng: random.Random, number: int, coroutine: bool) -> Run:
        """Any one."""
        records = list(range(rng.randrange(1, 4)))
        return cls(number, records, rng.choice([-1, -1, 0, 1]), coroutine)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in ("done", "aborted")

    @property
    def in_a_place(self) -> bool:
        """Whether it keeps others from running."""
        return self.status == "running" and not self.coroutine

    def source(self) -> str:
        """The script that begins it."""
        given = {"n": self.number, "records": self.records, "bad": self.bad}
        given["last"] = self.records[-1]
        return SCRIPT.format(**given, function="wait" if self.coroutine else "gate")

    def opened(self) -> None:
        """Its key is there: it runs to its end."""
        self.status = "done"
        for record in self.records:
            if record == self.bad:
                text = "division by zero"
                self.errors.append(Failed(text, whole=self.coroutine))
                if not self.coroutine:  # those behind it have begun already
                    break
            else:
                self.results.append(str(record))

    def reply(self) -> tuple[list[str], list[Failed]]:
        """Results and errors."""
        return self.results, self.errors


@dataclass
class Runs:
    """All that are listed, the oldest first."""

    listed: dict[str, Run] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)

    @property
    def unfinished(self) -> list[Run]:
        """Those that have not ended."""
        return [run for run in self.listed.values() if not run.over]

    def begin(self, run: Run, execution: str) -> None:
        """RG.PYEXECUTE … UNBLOCKING, and the id that it gave."""
        run.id = execution
        self.listed[execution] = run
        self._go_on()

    def open(self, run: Run) -> None:
        """SET its key."""
        self.opened.add(run.number)
        self._go_on()

    def _go_on(self) -> None:
        while True:
            for run in self.unfinished:
                if run.status == "running" and run.number in self.opened:
                    run.opened()
            free = WORKERS - sum(run.in_a_place for run in self.unfinished)
            created = [run for run in self.unfinished if run.status == "created"]
            if not (free and created):
                return
            created[0].status = "running"

    def results(self, execution: str) -> Any:
        """RG.GETRESULTS; raises Failed."""
        run = self._found(execution, MISSING)
        if not run.over:
            raise Failed(RUNNING)
        return run.reply()

    def drop(self, execution: str) -> str:
        """RG.DROPEXECUTION; raises Failed."""
        run = self._found(execution, MISSING)
        if not run.over:
            raise Failed(UNFINISHED)
        del self.listed[execution]
        return "OK"

    def abort(self, execution: str) -> str:
        """RG.ABORTEXECUTION; raises Failed."""
        run = self._found(execution, UNKNOWN)
        if not run.over and run.in_a_place:
            run.status = "done"
            run.errors.append(Failed("gears.forcestopped"))
        elif not run.over:
            run.status = "aborted"
        self._go_on()
        return "OK"

    def torn(self, execution: str) -> None:
        """It was aborted just before it began to wait."""
        run = self.listed[execution]
        run.status = "done"
        run.errors.append(Failed("gears.forcestopped"))

    def plan(self, execution: str) -> dict[str, Any]:
        """RG.GETEXECUTION; raises Failed."""
        run = self._found(execution, MISSING)
        return {
            "status": run.status,
            "results": len(run.results) if run.over else -1,
            "errors": len(run.errors),
            "steps": ["collect", "map", "map", "map"],
        }

    def _found(self, execution: str, otherwise: str) -> Run:
        if execution not in self.listed:
            raise Failed(otherwise)
        return self.listed[execution]

"""One recipe before one property: what all judgements do alike."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.recipes.twelve.interface import Document, PropertyFailedError, Recipe
from tests.recipes.twelve.world.gate import Gate, Hold
from tests.recipes.twelve.world.servers import Process, Server

_MOMENT = 0.01


class Judge:
    """Drives a recipe, and says what it saw when a property does not hold.

    `patience` is how many seconds something that should happen may take. `long` chooses the long
    form of a judgement.
    """

    def __init__(self, recipe: Recipe, patience: float, long: bool = False):
        self.recipe, self.patience, self.long = recipe, patience, long
        self.world = recipe.world
        self._tick = threading.Event()
        recipe.install()

    @property
    def gate(self) -> Gate:
        """Between workers and the database."""
        return self.world.database_gate(self.recipe.database)

    @property
    def database(self) -> Server:
        """The database's server."""
        return self.world.databases[self.recipe.database]

    def size(self, short: int, long: int) -> int:
        """How much of something, by the form."""
        return long if self.long else short

    def require(self, holds: object, seen: str) -> None:
        """Raises PropertyFailedError with what was seen unless something holds."""
        if not holds:
            raise PropertyFailedError(seen)

    def wait(self, condition: Callable[[], object], failed: str | Callable[[], str]) -> None:
        """Wait for a condition; the property fails when it does not come in time."""
        deadline = time.monotonic() + self.patience
        while not condition():
            if time.monotonic() > deadline:
                raise PropertyFailedError(failed if isinstance(failed, str) else failed())
            self._tick.wait(_MOMENT)

    def pass_time(self, seconds: float) -> Iterator[int]:
        """Count twenty times a second for so long: the length of an outage, not a wait."""
        for number in range(int(seconds * 20)):
            yield number
            self._tick.wait(0.05)

    def drain(self) -> None:
        """Wait until nothing is queued."""
        self.wait(self.recipe.idle, lambda: f"{self.recipe.depth()} entries stay in the queue")

    def same(self, expected: dict[str, Document], after: str) -> None:
        """Wait until the database holds just these documents."""
        self.wait(
            lambda: self.recipe.stored() == expected,
            lambda: f"{after}: {difference(self.recipe.stored(), expected)}",
        )

    def settled(self, expected: dict[str, Document], after: str) -> None:
        """Everything was written, and the database holds just this."""
        self.drain()
        self.same(expected, after)

    @contextlib.contextmanager
    def backlog(self) -> Iterator[None]:
        """What is written in the block waits, and is worked on after it."""
        if self.recipe.writes_need_worker:
            self.recipe.start_worker()
            self.gate.refuse()
            yield
            self.gate.heal()
        else:
            yield
            self.recipe.start_worker()

    def reaches(self, hold: Hold) -> None:
        """Wait until a worker's write has come to a hold."""
        self.require(hold.wait(self.patience), "the worker never wrote")

    def stall(self, worker: Process) -> Process:
        """Freeze a worker past its lease, and let another one take over."""
        if self.recipe.several_workers:
            worker.freeze()
        else:
            worker.kill()
        return self.recipe.start_worker()

    def revive(self, worker: Process) -> None:
        """Let the frozen worker go on, if it was only frozen."""
        if worker.alive():
            worker.thaw()


def document(id: str, **fields: Any) -> Document:
    """A small document. No apostrophe: some fail by that alone, and property 9 is about it."""
    return {"movieId": id, "title": f"Film {id}", **fields}


def difference(found: dict[str, Document], expected: dict[str, Document]) -> str:
    """In a few words, what differs."""
    told = []
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    wrong = sorted(id for id in found.keys() & expected.keys() if found[id] != expected[id])
    if missing:
        told.append(f"{len(missing)} of {len(expected)} are missing ({', '.join(missing[:3])})")
    if extra:
        told.append(f"{len(extra)} should not be there ({', '.join(extra[:3])})")
    if wrong:
        first = wrong[0]
        shown = f"{_short(found[first])} for {_short(expected[first])}"
        told.append(f"{len(wrong)} differ ({first}: {shown})")
    return "; ".join(told) or "nothing differs now"


def _short(document: Document) -> str:
    text = str(document)
    return text if len(text) < 120 else text[:117] + "..."

"""What the judge asks of a recipe."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from tests.histories.verdict.history import DeadLetter, Document, Kind, Sample
from tests.histories.world.clients import Do
from tests.histories.world.parts import Part, World
from tests.histories.world.witness import Witness


class Recipe(Protocol):
    """One recipe with servers of its own, which several runs share; each has keys of its own."""

    name: str
    space: str
    """What the keys of all runs begin with."""
    kinds: set[Kind]
    window: float
    """Seconds of acknowledged writes that its Redis may lose with the power."""
    world: World

    def open(self, folder: Path) -> None:
        """Start servers and workers."""

    def reset(self) -> None:
        """Forget what earlier runs have left: a queue that stands still, a worker that waits long."""

    def close(self) -> None:
        """End all of them."""

    def connect(self) -> Do:
        """Return what carries out the requests of one more client."""

    def key(self, name: str) -> str:
        """Return the key of a document that the judge calls so; it begins with that name."""

    def witness(self, prefix: str) -> Witness:
        """Return one who follows the database's changes of the keys with this prefix."""

    def documents(self, prefix: str) -> dict[str, Document]:
        """Return what Redis holds, asked past every proxy."""

    def dead_letters(self, prefix: str) -> list[DeadLetter]:
        """Return what was given up."""

    def sample(self) -> Sample:
        """Return depth and age of the queue, asked past every proxy. Raises while Redis is away."""


class Servers:
    """What recipes do alike: servers that end together, and keys called as the judge calls them."""

    world: World
    _stack: ExitStack
    """Ends what `open` has started so far, should it be interrupted; the last one first."""

    def _start(self, part: Part) -> None:
        """Start a part that `close` kills."""
        self._stack.callback(part.stop, signal.SIGKILL)
        part.start()

    def reset(self) -> None:
        """See `Recipe`. Keys are of one run only, and a queue that stands still is a finding."""
        self.world.calm()

    def close(self) -> None:
        """See `Recipe`."""
        self._stack.close()

    def key(self, name: str) -> str:
        """See `Recipe`."""
        return name

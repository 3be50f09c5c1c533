"""One run: clients and faults from a seed, until all is calm; what happened goes to the checker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.histories.recipes.interface import Recipe
from tests.histories.verdict.clocks import late_expiries
from tests.histories.verdict.durability import rewinds
from tests.histories.verdict.history import Document, History, Kind, Sample
from tests.histories.world.clients import Clients
from tests.histories.world.faults import (
    TO_LINES,
    Deed,
    Plan,
    Trouble,
    schedule,
    sufferable,
)
from tests.histories.world.operations import TITLE, Request, requests
from tests.histories.world.witness import Witness

_QUIET = 3.0
"""Seconds without a change of the database, after which a worker that waited for it has nothing left in its hands."""


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    clients: int = 4
    operations: int = 240
    faults: int = 12
    seconds: float = 3.0  # over which requests and faults are spread
    patience: float = 60.0  # seconds in which the queue has to drain, once all is calm
    grace: float = (
        4.0  # times the patience: how much longer it is waited for, to tell late from lost
    )
    kinds: frozenset[Kind] = frozenset(Kind)  # of operations, as far as the recipe knows them
    deeds: frozenset[Deed] = frozenset(Deed)  # of faults
    title: str = TITLE  # of each document

    @property
    def pace(self) -> float:
        """Seconds from one request to the next, those included that are left out of a shorter script."""
        return self.seconds / max(1, self.operations)


@dataclass(frozen=True)
class Script:
    """What is going to happen in a run; a shorter one is a part of it."""

    requests: Sequence[Request]
    faults: Sequence[Plan]
    prefix: str

    def of(self, steps: Sequence[Request | Plan]) -> Script:
        """The script of these steps alone."""
        return Script(
            [step for step in steps if isinstance(step, Request)],
            [step for step in steps if isinstance(step, Plan)],
            self.prefix,
        )

    def in_order(self, size: Size) -> list[Request | Plan]:
        """All steps in the order in which they begin."""
        timed: list[tuple[float, Request | Plan]] = [
            (request.number * size.pace, request) for request in self.requests
        ]
        timed += [(plan.after, plan) for plan in self.faults]
        return [step for _, step in sorted(timed, key=lambda pair: pair[0])]


def script(recipe: Recipe, seed: int, size: Size) -> Script:
    """Write the script of a seed."""
    prefix = f"{recipe.space}{seed}-"
    kinds = recipe.kinds & size.kinds
    asked = (
        replace(request, key=recipe.key(request.key))
        for request in requests(seed, size.clients, prefix, kinds, size.title)
    )
    parts = {name: sufferable(part) for name, part in recipe.world.parts.items()}
    lines = dict.fromkeys(recipe.world.lines, TO_LINES)
    return Script(
        list(itertools.islice(asked, size.operations)),
        schedule(seed, size.faults, size.seconds, parts, lines, size.deeds),
        prefix,
    )


def perform(recipe: Recipe, play: Script, size: Size) -> History:
    """Run a script and return what happened."""
    history = History(notes={"recipe": recipe.name, "prefix": play.prefix, "window": recipe.window})
    witness = recipe.witness(play.prefix)
    witness.start()
    clients = Clients(play.requests, recipe.connect, time.monotonic, size.pace)
    trouble = Trouble(recipe.world, play.faults, time.monotonic, clients.give_up)
    try:
        trouble.start()
        clients.run()
        trouble.finish()
    except BaseException:  # whoever asked for the run ends the servers, so none is started any more
        trouble.give_up()
        raise
    recipe.world.calm()
    history.faults = sorted(trouble.faults, key=lambda f: f.at)
    history.operations = sorted(clients.operations, key=lambda o: o.number)
    history.notes["patience"] = size.patience
    longest, settles = size.patience * (1 + size.grace), max(3.0, size.patience / 4)
    history.samples = _drain(recipe, longest, late_expiries(history))
    back = rewinds(history)
    if not back:  # else they may differ for good
        _settle(lambda: recipe.documents(play.prefix) == witness.documents(), settles)
    history.database = at_rest(witness, longest, _QUIET if back else 0.0)
    history.redis = recipe.documents(play.prefix)
    history.notes["blind"] = not witness.sees()
    witness.stop()
    history.changes = list(witness.changes)
    history.dead_letters = recipe.dead_letters(play.prefix)
    history.notes["errors"] = clients.errors
    return history


def _drain(recipe: Recipe, seconds: float, late: int) -> list[Sample]:
    """Wait until nothing waits, but for so many documents that may expire later."""
    samples = []
    deadline = time.monotonic() + seconds
    while True:
        samples.append(recipe.sample())
        drained = samples[-1].depth == 0 and samples[-1].expiring <= late
        if drained or time.monotonic() > deadline:
            return samples
        time.sleep(0.02)


def _settle(condition: object, seconds: float) -> None:
    """Give what is on its way some time; whether it came is the checker's business."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)


def at_rest(witness: Witness, seconds: float, quiet: float) -> dict[str, Document]:
    """Return what the database holds, once the witness has told of all that and of nothing else for a while.

    `quiet` seconds: what Redis has lost, queue and all, a worker may still have in its hands. Whether
    the witness came so far within `seconds` is the checker's business.
    """
    begin, stored = time.monotonic(), witness.documents()
    while (now := time.monotonic()) < begin + seconds:
        stored = witness.documents()
        changes = list(witness.changes)
        last = {change.key: change.document for change in changes}
        told = {key: document for key, document in last.items() if document is not None}
        if told == stored and now - max([begin, *(change.at for change in changes)]) >= quiet:
            break
        time.sleep(0.02)
    return stored

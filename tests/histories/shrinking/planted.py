"""How soon the judge finds each planted bug, and how little of the run is left of it.

python -m tests.histories.shrinking.planted    # renews the table in docs/recipes.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.histories.shrinking.bugs import Bug
from tests.histories.shrinking.shrink import shrink
from tests.histories.shrinking.simulated import Simulation, Turn
from tests.histories.tally import PAGE
from tests.histories.verdict.checker import judge
from tests.histories.verdict.history import History
from tests.marked import renewed

SEEDS = 20
"""Within so many seeds each planted bug has to be found."""

BUGS = [bug for bug in Bug if bug is not Bug.NONE]


@dataclass(frozen=True)
class Found:
    """The first seed of a bug with a broken promise, the rule, and the fewest operations and faults."""

    bug: Bug
    seed: int
    rule: str
    least: History

    @property
    def steps(self) -> int:
        """Operations and faults that are left."""
        return len(self.least.operations) + len(self.least.faults)


def finds(seed: int, bug: Bug) -> bool:
    """Whether the judge finds a bug in one run."""
    return bool(judge(Simulation(seed, bug).run()))


def cut_down(seed: int, bug: Bug) -> Found:
    """Leave out turns of a failing run as long as the same rule is broken. Raises ValueError for a good run."""
    whole = Simulation(seed, bug)
    rules = {finding.rule for finding in judge(whole.run())}

    def fails(turns: Sequence[Turn]) -> bool:
        return bool(rules & {finding.rule for finding in judge(_played(seed, bug, turns))})

    least = _played(seed, bug, shrink(whole.turns, fails))
    return Found(bug, seed, next(f.rule for f in judge(least) if f.rule in rules), least)


def _played(seed: int, bug: Bug, turns: Sequence[Turn]) -> History:
    return Simulation(seed, bug).run(turns)


def table() -> list[str]:
    """The table of all bugs, a line an item."""
    lines = [
        f"| planted | found in so many of {SEEDS} seeds | first by | operations and faults left | rule |",
        "|---|--:|--:|--:|---|",
    ]
    for bug in BUGS:
        seeds = [seed for seed in range(SEEDS) if finds(seed, bug)]
        found = cut_down(seeds[0], bug)
        lines.append(
            f"| {bug.value} | {len(seeds)} | {seeds[0] + 1} | {found.steps} | {found.rule} |"
        )
    return lines


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8"), "planted", table()), "utf-8")

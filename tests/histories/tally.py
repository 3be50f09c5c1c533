"""What each recipe has survived: counts that add up over runs, and their table in docs/recipes.md.

python -m tests.histories.tally    # renews the table
python -m tests.recipes.limits     # and the promises in recipes/README.md, which count the same histories
"""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import paths
from tests.histories.verdict.checker import BLIND, Finding, losses
from tests.histories.verdict.history import History
from tests.marked import renewed

FILE = paths.root() / "benchmarks" / "results" / "histories.json"
PAGE = paths.root() / "docs" / "recipes.md"
FIRST = 1_000_000
"""The first counted seed: the seeds that fixed runs take are below it."""

Tally = dict[str, dict[str, Any]]
"""By recipe: `next` (seed), `histories`, `operations`, `faults`, by name, `stated` (writes
lost that may be), `lost` (seed: rules), `blind` (seed: operations, faults, of histories that the judge did not see;
what they hold is in the other counts, too)."""


def load(file: Path) -> Tally:
    """Read a tally; an empty one where there is no file."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def claim(file: Path, recipe: str) -> int:
    """Return a recipe's next seed, which nobody else gets: several runs may count at once."""
    with _held(file) as tally:
        entry = tally.setdefault(recipe, {})
        seed = int(entry.get("next", FIRST))
        entry["next"] = seed + 1
    return seed


def add(file: Path, recipe: str, seed: int, history: History, findings: list[Finding]) -> None:
    """Add one history."""
    rules = sorted({finding.rule for finding in findings})
    outcomes = Counter(operation.outcome.value for operation in history.operations)
    deeds = Counter(fault.what for fault in history.faults)
    stated = len(losses(history))
    with _held(file) as tally:
        entry = tally.setdefault(recipe, {})
        entry["histories"] = entry.get("histories", 0) + 1
        entry["operations"] = dict(Counter(entry.get("operations", {})) + outcomes)
        entry["faults"] = dict(Counter(entry.get("faults", {})) + deeds)
        entry["stated"] = entry.get("stated", 0) + stated
        entry.setdefault("lost", {})
        if BLIND in rules:
            here = {"operations": len(history.operations), "faults": dict(deeds)}
            entry["blind"] = entry.get("blind", {}) | {str(seed): here}
        elif rules:
            entry["lost"] |= {str(seed): rules}


@dataclass(frozen=True)
class Survived:
    """What a recipe went through under a judge that saw it."""

    histories: int
    operations: int
    faults: Counter[str]
    stated: int
    broken: int
    blind: int


def survived(entry: dict[str, Any]) -> Survived:
    """Read one recipe's entry. A history that the judge did not see is none: neither survived nor broken."""
    blind = entry.get("blind", {}).values()
    faults = Counter(entry.get("faults", {}))
    for one in blind:
        faults.subtract(one["faults"])
    return Survived(
        entry.get("histories", 0) - len(blind),
        sum(entry.get("operations", {}).values()) - sum(one["operations"] for one in blind),
        faults,
        entry.get("stated", 0),
        len(entry.get("lost", {})),
        len(blind),
    )


@contextmanager
def _held(file: Path) -> Iterator[Tally]:
    """The tally, for one to change at a time; written at the end, whole."""
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tally = load(file)
        yield tally
        draft = file.with_name(f".{file.name}.new")
        draft.write_text(json.dumps(tally, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(file)


def table(tally: Tally) -> list[str]:
    """The table of a tally, a line an item."""
    lines = [
        "| recipe | histories | operations | faults | writes lost as stated | histories with a broken promise "
        "| not seen by the judge, not counted |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    seen = {recipe: survived(entry) for recipe, entry in sorted(tally.items())}
    lines += [
        f"| {recipe} | {one.histories:,} | {one.operations:,} | {one.faults.total():,} "
        f"| {one.stated:,} | {one.broken:,} | {one.blind:,} |"
        for recipe, one in seen.items()
        if one.histories
    ]
    total = Counter[str]()
    for one in seen.values():
        total.update(one.faults)
    struck = ", ".join(f"{number:,} {deed}" for deed, number in total.most_common())
    return [*lines, "", f"The faults: {struck}."]


def with_table(page: str, tally: Tally) -> str:
    """Return a page with its table renewed. Raises ValueError for one without the marks."""
    return renewed(page, "histories", table(tally))


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), load(FILE)), "utf-8")

"""The judge's command: `python -m tests.histories --recipe streams --seed 7 --minutes 5`."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
from rich.console import Console

from tests.ending import end_in_order
from tests.histories import tally as tallied
from tests.histories.notebook import write_notebook
from tests.histories.recipes import RECIPES
from tests.histories.recipes.interface import Recipe
from tests.histories.run import Script, Size, perform, script
from tests.histories.shrink import shrink
from tests.histories.verdict.checker import Finding, judge, losses
from tests.histories.verdict.history import History, Kind
from tests.histories.world.faults import Deed
from tests.histories.world.operations import TITLE
from tests.wallclock import steppable

_out = Console(highlight=False)


@click.command(context_settings={"show_default": True})
@click.option("--recipe", "name", type=click.Choice(sorted(RECIPES)), default="streams")
@click.option("--seed", default=1, help="The first seed; each run takes the next one.")
@click.option("--runs", default=0, help="Runs to make; 0: until the minutes are over.")
@click.option("--minutes", default=5.0, help="After how many minutes no further run begins.")
@click.option("--operations", default=240, help="Operations of a run.")
@click.option("--faults", default=12, help="Faults of a run.")
@click.option("--patience", default=60.0, help="Seconds that the queue has to drain in.")
@click.option(
    "--kinds", default="", help="Operations, with commas between: set,merge,put,… All when empty."
)
@click.option(
    "--deeds", default="", help="Faults, with commas between: kill,freeze,cut,… All when empty."
)
@click.option("--plain", is_flag=True, help="Titles without quotes or letters beyond ASCII.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Folder for the histories of failing runs."
)
@click.option(
    "--tally",
    type=click.Path(path_type=Path),
    help="Add each history's counts to this file, and take the seeds that follow those in it.",
)
@click.option(
    "--shrink", "cut", is_flag=True, help="Cut the first failing run down to the fewest steps."
)
@click.option(
    "--notebook", type=click.Path(path_type=Path), help="With --shrink: write the loss here."
)
def main(name: str, seed: int, runs: int, minutes: float, operations: int, faults: int, patience: float,
         kinds: str, deeds: str, plain: bool, keep: Path | None, tally: Path | None, cut: bool,
         notebook: Path | None) -> None:  # fmt: skip
    """Run clients and faults from seeds against a recipe, and say which promises it broke.

    Exits with 1 when it broke one. The same seed makes the same requests and the same faults; the
    moments at which they meet are the machine's.
    """
    size = Size(
        operations=operations,
        faults=faults,
        patience=patience,
        kinds=frozenset(map(Kind, filter(None, kinds.split(",")))) or frozenset(Kind),
        deeds=frozenset(Deed[d.upper()] for d in deeds.split(",") if d) or frozenset(Deed),
        title="Metropolis" if plain else TITLE,
    )
    end_in_order()
    if not steppable():
        _out.print("There is no C compiler (cc), so clocks do not step.")
    recipe = RECIPES[name]()
    folder = Path(tempfile.mkdtemp(prefix="judge-"))
    counts: Counter[str] = Counter()
    try:
        recipe.open(folder)
        deadline = time.monotonic() + minutes * 60
        while (runs and counts["histories"] < runs) or (not runs and time.monotonic() < deadline):
            now = tallied.claim(tally, name) if tally else seed + counts["histories"]
            play = script(recipe, now, size)
            history = perform(recipe, play, size)
            findings = judge(history)
            _tell(now, history, findings)
            counts.update(_counted(history, findings))
            if tally:
                tallied.add(tally, name, now, history, findings)
            if findings:
                _keep(keep, name, now, history)
                if cut:
                    _cut_down(recipe, play, size, findings, notebook)
                    break
                recipe.reset()
    finally:
        recipe.close()
        shutil.rmtree(folder, ignore_errors=True)
    _out.print(f"{name}: " + ", ".join(f"{number} {what}" for what, number in counts.items()))
    raise SystemExit(1 if counts["broken promises"] else 0)


def _counted(history: History, findings: list[Finding]) -> dict[str, int]:
    return {
        "histories": 1,
        "operations": len(history.operations),
        "faults": len(history.faults),
        "broken promises": len(findings),
    }


def _tell(seed: int, history: History, findings: list[Finding]) -> None:
    outcomes = Counter(operation.outcome.value for operation in history.operations)
    said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    _out.print(f"seed {seed}: {said}; {len(history.changes)} changes, {len(history.faults)} faults")
    _list(losses(history), 2, "dim")
    _list(findings, 10, "red")


def _list(findings: list[Finding], most: int, style: str) -> None:
    for finding in findings[:most]:
        _out.print(f"  {finding}", style=style, markup=False, soft_wrap=True)
    if len(findings) > most:
        _out.print(f"  and {len(findings) - most} more", style=style)


def _keep(folder: Path | None, name: str, seed: int, history: History) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        history.save(folder / f"{name}-{seed}.jsonl")


def _cut_down(
    recipe: Recipe, play: Script, size: Size, findings: list[Finding], notebook: Path | None
) -> None:
    """Leave out steps as long as the same rule is broken; print what is left."""
    rules = {finding.rule for finding in findings}
    impatient = Size(**{**vars(size), "patience": min(size.patience, 5.0)})
    steps = [*play.faults, *play.requests]
    tries = 0

    def fails(left: object) -> bool:
        nonlocal tries
        tries += 1
        recipe.reset()
        found = judge(perform(recipe, play.of(left), impatient))  # type: ignore[arg-type]
        _out.print(f"  try {tries}: {len(left)} steps, {len(found)} findings")  # type: ignore[arg-type]
        return bool(rules & {finding.rule for finding in found})

    least = play.of(shrink(steps, fails))
    recipe.reset()
    history = perform(recipe, least, impatient)
    again = judge(history)
    _out.print(f"Cut down to {len(least.requests) + len(least.faults)} steps in {tries} tries:")
    for step in least.in_order(size):
        _out.print(f"  {step}", markup=False)
    for finding in again:
        _out.print(f"  {finding}", style="red", markup=False)
    if notebook:
        write_notebook(notebook, recipe.name, least, size, again)
        _out.print(f"Written: {notebook}")


if __name__ == "__main__":
    main()

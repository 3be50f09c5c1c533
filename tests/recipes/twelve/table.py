"""Who has which property: judged now, and written into docs/recipes.md.

python -m tests.recipes.twelve.table [--only NAME]... [--number N]... [--write]
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from lab import paths
from tests.ending import end_in_order
from tests.marked import renewed
from tests.recipes.twelve.contenders.controls import CONTROLS
from tests.recipes.twelve.contenders.roster import COMPARED, CONTENDERS
from tests.recipes.twelve.interface import Recipe
from tests.recipes.twelve.judging import Verdict, judge
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.world import World

PAGE = paths.root() / "docs" / "recipes.md"
RESULTS = paths.root() / "benchmarks" / "results" / "twelve.json"
"""The verdicts, so that one recipe can be judged again without all others."""
Verdicts = dict[type[Recipe], dict[int, Verdict]]

console = Console(highlight=False)


def verdicts(recipes: list[type[Recipe]], numbers: tuple[int, ...], long: bool) -> Verdicts:
    """Judge recipes; controls by their own property only."""
    found: Verdicts = {}
    with tempfile.TemporaryDirectory(prefix="twelve-") as folder:
        world = World(Path(folder))
        try:
            for recipe in recipes:
                own = getattr(recipe, "number", None)
                found[recipe] = {}
                for number in [own] if own else numbers or PROPERTIES:
                    started = time.monotonic()
                    verdict = found[recipe][number] = judge(world, recipe, number, long)
                    seconds = time.monotonic() - started
                    sign = "has" if verdict.holds else "has not"
                    told = f"{recipe.name} {sign} {number} ({seconds:.1f} s) {verdict.seen}"
                    console.print(told, markup=False)
        finally:
            world.close()
    return found


def matrix(found: Verdicts) -> list[str]:
    """The table of recipes, and below it what was seen where a property fails."""
    recipes = [recipe for recipe in [*CONTENDERS, *COMPARED] if recipe in found]
    lines = [
        f"| property | {' | '.join(recipe.title for recipe in recipes)} |",
        f"|---|{':-:|' * len(recipes)}",
    ]
    for number, module in PROPERTIES.items():
        signs = " | ".join(_sign(found[recipe][number]) for recipe in recipes)
        lines.append(f"| {number}. {module.TITLE} | {signs} |")
    lines += ["", "✔ has it, ✘ has it not, – offers nothing to judge.", ""]
    for recipe in recipes:
        failed = {n: v for n, v in found[recipe].items() if not v.holds}
        if failed:
            lines += [f"What was seen of {recipe.title}:", ""]
            lines += [f"* {number}: {_told(verdict)}" for number, verdict in failed.items()] + [""]
    return lines[:-1] if not lines[-1] else lines


def controls(found: Verdicts) -> list[str]:
    """The table of the controls."""
    lines = ["| property | control | what was seen |", "|---|---|---|"]
    for control in [c for c in CONTROLS if c in found]:
        verdict = found[control][control.number]
        sign = "✘" if not verdict.holds else "passes: the test proves nothing"
        lines.append(f"| {control.number} | {control.title} | {sign} {_told(verdict)} |")
    return lines


def explanations() -> list[str]:
    """Each property in a sentence, and how it is tested."""
    lines = []
    for number, module in PROPERTIES.items():
        lines += [f"**{number}. {module.TITLE}.** {module.SENTENCE} *{module.HOW}*", ""]
    return lines[:-1]


def keep(found: Verdicts) -> Verdicts:
    """Renew the kept verdicts by these; returns all of those who are judged now."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for recipe, verdicts in found.items():
        mine = kept.setdefault(recipe.name, {})
        mine.update({str(number): asdict(verdict) for number, verdict in verdicts.items()})
    RESULTS.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    return {
        recipe: {int(number): Verdict(**v) for number, v in kept[recipe.name].items()}
        for recipe in everybody()
        if recipe.name in kept
    }


def everybody() -> list[type[Recipe]]:
    """All who are judged."""
    return [*CONTENDERS, *COMPARED, *CONTROLS]


def _sign(verdict: Verdict) -> str:
    return "✔" if verdict.holds else "✘" if verdict.offered else "–"


def _told(verdict: Verdict) -> str:
    return re.sub(r"\(.*", "", verdict.seen).strip().replace("|", "/")


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Judge only this one; may be repeated.")
@click.option("--number", multiple=True, type=click.IntRange(1, 12), help="Only this property.")
@click.option("--long", is_flag=True, help="The long forms.")
@click.option(
    "--write", is_flag=True, help="Renew docs/recipes.md, by these verdicts and the kept ones."
)
def main(only: tuple[str, ...], number: tuple[int, ...], long: bool, write: bool) -> None:
    """Judge recipes by the twelve properties."""
    end_in_order()
    if unknown := set(only) - {recipe.name for recipe in everybody()}:
        names = ", ".join(recipe.name for recipe in everybody())
        raise click.ClickException(f"unknown: {', '.join(unknown)}. Known: {names}")
    chosen = [recipe for recipe in everybody() if not only or recipe.name in only]
    found = verdicts(chosen, number, long)
    if write:
        found = keep(found)
        page = renewed(PAGE.read_text(), "explanations", explanations())
        page = renewed(page, "matrix", matrix(found))
        PAGE.write_text(renewed(page, "controls", controls(found)))


if __name__ == "__main__":
    main()

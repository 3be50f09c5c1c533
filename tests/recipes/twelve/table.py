"""Who has which property: judged now, and written into docs/recipes.md.

python -m tests.recipes.twelve.table [--only NAME]... [--number N]... [--write]
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from lab import paths
from tests.recipes.twelve.contenders.controls import CONTROLS
from tests.recipes.twelve.contenders.roster import COMPARED, CONTENDERS
from tests.recipes.twelve.interface import Recipe
from tests.recipes.twelve.judging import Verdict, judge
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.world import World

PAGE = paths.root() / "docs" / "recipes.md"
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
    lines += ["", "✔ has it, ✘ has not, – offers nothing to judge.", ""]
    for recipe in recipes:
        failed = {n: v for n, v in found[recipe].items() if not v.holds}
        if failed:
            lines += [f"What was seen of {recipe.title}:", ""]
            lines += [f"* {number}: {_told(verdict)}" for number, verdict in failed.items()] + [""]
    return lines[:-1] if not lines[-1] else lines


def controls(found: Verdicts) -> list[str]:
    """The table of the controls."""
    lines = ["| property | control | what was seen |", "|---|---|---|"]
    for control in CONTROLS:
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


def put(page: str, name: str, lines: list[str]) -> str:
    """Renew what stands between a page's marks."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in page:
        raise click.ClickException(f"{PAGE} has no mark {begin}")
    text = "\n".join([begin, "", *lines, "", end])
    return re.sub(f"{begin}.*{end}", lambda _: text, page, flags=re.DOTALL)


def _sign(verdict: Verdict) -> str:
    return "✔" if verdict.holds else "✘" if verdict.offered else "–"


def _told(verdict: Verdict) -> str:
    return re.sub(r"\(.*", "", verdict.seen).strip().replace("|", "/")


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Judge only this one; may be repeated.")
@click.option("--number", multiple=True, type=click.IntRange(1, 12), help="Only this property.")
@click.option("--long", is_flag=True, help="The long forms.")
@click.option("--write", is_flag=True, help="Renew docs/recipes.md.")
def main(only: tuple[str, ...], number: tuple[int, ...], long: bool, write: bool) -> None:
    """Judge recipes by the twelve properties."""
    everybody: list[type[Recipe]] = [*CONTENDERS, *COMPARED, *CONTROLS]
    if unknown := set(only) - {recipe.name for recipe in everybody}:
        names = ", ".join(recipe.name for recipe in everybody)
        raise click.ClickException(f"unknown: {', '.join(unknown)}. Known: {names}")
    if write and (only or number):
        raise click.ClickException("the table is written as a whole: leave out --only and --number")
    chosen = [recipe for recipe in everybody if not only or recipe.name in only]
    found = verdicts(chosen, number, long)
    if write:
        page = put(PAGE.read_text(), "explanations", explanations())
        page = put(page, "matrix", matrix(found))
        PAGE.write_text(put(page, "controls", controls(found)))


if __name__ == "__main__":
    main()

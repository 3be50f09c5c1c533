"""The judge's command: `python -m tests.histories --recipe streams --seed 7 --minutes 5`."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import click
import psutil
import pytest
from rich.console import Console

from lab.errors import LabError
from tests.ending import end_in_order
from tests.histories import tally as tallied
from tests.histories.recipes import RECIPES
from tests.histories.run import Size
from tests.histories.series import Series, Wishes
from tests.histories.shrinking.notebook import REPLAYED
from tests.histories.verdict.history import Kind
from tests.histories.world.faults import Deed
from tests.histories.world.operations import TITLE
from tests.wallclock import steppable

_Word = TypeVar("_Word", bound=Enum)

_out = Console(highlight=False, markup=False)

_MANY = click.IntRange(min=0)
_SOME = click.IntRange(min=1)
_TIME = click.FloatRange(min=0, min_open=True)
_FILE = click.Path(path_type=Path, dir_okay=False)
_MAKES_A_RUN = ("operations", "faults", "patience", "kinds", "deeds", "plain")
"""The options that have to be the same for a seed to make the same run."""


def _words(kind: type[_Word], name: Any) -> Any:
    """Make what reads words with commas between: members of `kind`, each called by `name`."""
    known = {name(member): member for member in kind}

    def read(context: click.Context, parameter: click.Parameter, text: str) -> frozenset[_Word]:
        asked = [word.strip() for word in text.split(",") if word.strip()]
        if unknown := [word for word in asked if word not in known]:
            raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return frozenset(known[word] for word in asked or known)

    return read


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--recipe", "name", type=click.Choice(sorted(RECIPES)), default="streams")
@click.option("--seed", type=_MANY, default=1, help="The first seed; each run takes the next one.")
@click.option("--runs", type=_MANY, default=0, help="Runs to make; 0: until the minutes are over.")
@click.option(
    "--minutes", type=_TIME, default=5.0, help="After how many minutes no further run begins."
)
@click.option("--operations", type=_SOME, default=240, help="Operations of a run.")
@click.option("--faults", type=_MANY, default=12, help="Faults of a run.")
@click.option(
    "--patience",
    type=_TIME,
    default=60.0,
    help="Seconds that the queue has to drain in. It is waited for five times as long, to tell late from lost.",
)
@click.option(
    "--kinds",
    default="",
    callback=_words(Kind, lambda kind: kind.value),
    help="Operations, with commas between: set,merge,put,… All when empty.",
)
@click.option(
    "--deeds",
    default="",
    callback=_words(Deed, lambda deed: deed.name.lower()),
    help="Faults, with commas between: kill,freeze,cut,… All when empty.",
)
@click.option("--plain", is_flag=True, help="Titles without quotes or letters beyond ASCII.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the histories of failing runs.",
)
@click.option(
    "--tally",
    type=_FILE,
    help="Add each history's counts to this file, and take the seeds that follow those in it.",
)
@click.option(
    "--late",
    type=_FILE,
    help="Write recipe and seed of a run that lost nothing but time into this file, and do not fail: "
    "for a machine that has much else to do.",
)
@click.option("--shrink", is_flag=True, help="Cut the first failing run down to the fewest steps.")
@click.option(
    "--shrink-minutes", type=_TIME, default=30.0, help="With --shrink: how long that may take."
)
@click.option(
    "--notebook",
    type=_FILE,
    help=f"With --shrink: write the loss here. Recipes: {', '.join(REPLAYED)}.",
)
@click.pass_context
def main(context: click.Context, name: str, seed: int, runs: int, minutes: float, operations: int,
         faults: int, patience: float, kinds: frozenset[Kind], deeds: frozenset[Deed], plain: bool,
         keep: Path | None, tally: Path | None, late: Path | None, shrink: bool,
         shrink_minutes: float, notebook: Path | None) -> None:  # fmt: skip
    """Run clients and faults from seeds against a recipe, and say which promises it broke.

    Exits with 1 when it broke one, with 2 when it cannot be judged here. The same seed makes the
    same requests and the same faults; the moments at which they meet are the machine's.
    """
    if notebook and not (shrink and name in REPLAYED):
        raise click.UsageError(f"--notebook goes with --shrink and a recipe of {REPLAYED}")
    size = Size(
        operations=operations,
        faults=faults,
        patience=patience,
        kinds=kinds,
        deeds=deeds,
        title="Metropolis" if plain else TITLE,
    )
    if not steppable():
        _out.print("There is no C compiler (cc), so clocks do not step.")
    wishes = Wishes(keep, tally, late, shrink_minutes if shrink else 0.0, notebook)
    series = Series(RECIPES[name](), size, wishes, _again(context, name))
    try:
        series.run(_seeds(seed, runs, minutes, name, tally))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (LabError, FileNotFoundError, pytest.fail.Exception) as problem:
        _out.print(f"{name} cannot be judged here: {problem}", style="red", soft_wrap=True)
        raise SystemExit(2) from None
    finally:
        series.close()
    raise SystemExit(1 if series.broken else 0)


def _seeds(first: int, runs: int, minutes: float, name: str, tally: Path | None) -> Iterator[int]:
    """Seeds for as long as another run may begin."""
    deadline = time.monotonic() + minutes * 60
    for number in itertools.count():
        if number >= runs if runs else time.monotonic() > deadline:
            return
        yield tallied.claim(tally, name) if tally else first + number


def _again(context: click.Context, name: str) -> str:
    """The command that repeats one run, up to the seed."""
    words = [".venv/bin/python", "-m", "tests.histories", "--recipe", name]
    for option in _MAKES_A_RUN:
        if context.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT:
            value = context.params[option]
            words.append(f"--{option}")
            words += [] if value is True else [_text(value)]
    return shlex.join([*words, "--runs", "1"])


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        names = (one.name.lower() if isinstance(one, Deed) else one.value for one in value)
        return ",".join(sorted(names))
    return str(value)


def _end_children() -> None:
    """End what was being started when somebody interrupted it."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


if __name__ == "__main__":
    end_in_order()
    try:
        main()
    finally:
        _end_children()

"""Which property one recipe has, and what was seen where it has not."""

from __future__ import annotations

from dataclasses import dataclass

from tests.recipes.twelve.interface import NotOfferedError, PropertyFailedError, Recipe
from tests.recipes.twelve.judge import Judge
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.world import World

PATIENCE = 60
"""Seconds that what should happen may take."""


@dataclass(frozen=True)
class Verdict:
    """Whether a recipe has a property."""

    holds: bool
    seen: str = ""
    offered: bool = True


def judge(
    world: World,
    recipe: type[Recipe],
    number: int,
    long: bool = False,
    patience: float | None = None,
) -> Verdict:
    """Judge a recipe by one property. Whatever is not PropertyFailedError is the suite's own fault.

    `patience` is None for what the recipe and the suite take for enough.
    """
    if patience is None:
        patience = recipe.patience if number in recipe.fails else PATIENCE
    world.begin(recipe.database)
    try:
        PROPERTIES[number].check(Judge(recipe(world), patience, long))
    except NotOfferedError as failed:
        return Verdict(False, str(failed), offered=False)
    except PropertyFailedError as failed:
        return Verdict(False, str(failed))
    finally:
        world.end()
    return Verdict(True)

"""A short run of the judge, which a recipe that keeps its promises survives."""

from __future__ import annotations

from pathlib import Path

from tests.histories.recipes.interface import Recipe
from tests.histories.run import Size, perform, script
from tests.histories.verdict.checker import judge
from tests.histories.world.faults import Deed


def assert_cleared(recipe: Recipe, folder: Path, *deeds: Deed) -> None:
    """Let a recipe work while these faults strike; the judge finds nothing, and has seen something."""
    recipe.open(folder)
    size = Size(operations=80, faults=3, seconds=1, deeds=frozenset(deeds))
    try:
        history = perform(recipe, script(recipe, 5, size), size)
    finally:
        recipe.close()
    assert judge(history) == []
    assert len(history.faults) == 3
    assert history.changes

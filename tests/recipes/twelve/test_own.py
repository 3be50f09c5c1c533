"""The recipe that notebook 14 leads to: its file is one for `--recipe`, and it has all twelve."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.checks.own_recipe.suite import right
from lab.course.twelve import keep
from tests.recipes.twelve.contenders.own_worker import load
from tests.recipes.twelve.contenders.pieces import Own
from tests.recipes.twelve.interface import Recipe
from tests.recipes.twelve.judging import judge
from tests.recipes.twelve.plugin import recipe_class
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import has_json


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Recipe]:
    """As the pytest line of the notebook finds it."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    file = keep(right()).with_name("own_recipe.py")
    return recipe_class(f"{file}:Reviews")


def test_the_file_of_the_notebook_is_one_for_pytest(recipe: type[Recipe]) -> None:
    assert issubclass(recipe, Own)
    assert set(load(recipe.pickled)) == {"change", "read", "write", "acknowledge"}


@pytest.mark.long
@pytest.mark.xdist_group("twelve-others")
@pytest.mark.parametrize("number", PROPERTIES)
def test_the_solution_has(world: World, recipe: type[Recipe], number: int) -> None:
    if not has_json():
        pytest.skip("this server has no RedisJSON")
    verdict = judge(world, recipe, number)
    assert verdict.holds, verdict.seen

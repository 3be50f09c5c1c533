"""Contenders have what they are said to have, and each control fails what it was made to fail."""

from __future__ import annotations

import pytest

from tests.recipes.twelve.contenders.capturing import DoorCapture
from tests.recipes.twelve.contenders.controls import CONTROLS, Control
from tests.recipes.twelve.contenders.roster import COMPARED, CONTENDERS
from tests.recipes.twelve.contenders.small import Small
from tests.recipes.twelve.interface import Recipe
from tests.recipes.twelve.judging import judge
from tests.recipes.twelve.plugin import recipe_class
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import has_json

QUICK = {"gears": 10, "rgsync": 7, "faststream": 7, "redis-stream-queue": 7}
"""One property each of those who are judged by all twelve in `make recipes-table` and in soaks only."""
AT_THE_DOOR = (1, 7)
"""Where a door between makes a difference. By the other ten its row is judged in the long form of a run:
behind the capture it is the streams recipe, which is judged above."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One recipe and one property a test; with --recipe only that recipe, all twelve."""
    if "recipe" not in metafunc.fixturenames:
        return
    given = metafunc.config.getoption("--recipe")
    groups: dict[str, list[type[Recipe]]] = {
        "test_recipe_has": [recipe_class(given)] if given else CONTENDERS,
        "test_control_fails": [] if given else [*CONTROLS],
        "test_base_of_the_controls_has": [] if given else [Small],
        "test_compared_has": [] if given else COMPARED,
        "test_long_form": [recipe_class(given)] if given else CONTENDERS,
    }
    cases = [
        pytest.param(
            recipe, number, id=f"{recipe.name}-{number:02}", marks=marks_of(recipe, number)
        )
        for recipe in groups[metafunc.function.__name__]
        for number in ([recipe.number] if recipe in CONTROLS else PROPERTIES)
    ]
    metafunc.parametrize(("recipe", "number"), cases)


def marks_of(recipe: type[Recipe], number: int) -> list[pytest.MarkDecorator]:
    """Groups share an xdist worker, and so its servers."""
    group = recipe.name if recipe.name.startswith("streams") else "others"
    marks = [pytest.mark.xdist_group(f"twelve-{group}")]
    if QUICK.get(recipe.name, number) != number:
        marks.append(pytest.mark.soak)
    if recipe is DoorCapture and number not in AT_THE_DOOR:
        marks.append(pytest.mark.long)
    return marks


def check(world: World, recipe: type[Recipe], number: int, long: bool = False) -> str:
    """Judge a recipe, and hold it to what it is said to have; returns what was seen."""
    if recipe.needs_json and not has_json():
        pytest.skip("this server has no RedisJSON")
    verdict = judge(world, recipe, number, long)
    if number in recipe.fails and verdict.holds:
        pytest.fail(f"{recipe.name} has {number} now: take it out of `fails`", pytrace=False)
    if number not in recipe.fails and not verdict.holds:
        pytest.fail(f"{PROPERTIES[number].TITLE}: {verdict.seen}", pytrace=False)
    return verdict.seen


def test_recipe_has(world: World, recipe: type[Recipe], number: int) -> None:
    check(world, recipe, number)


def test_control_fails(world: World, recipe: type[Control], number: int) -> None:
    assert recipe.because in check(world, recipe, number)


@pytest.mark.soak
def test_base_of_the_controls_has(world: World, recipe: type[Recipe], number: int) -> None:
    check(world, recipe, number)


def test_compared_has(world: World, recipe: type[Recipe], number: int) -> None:
    check(world, recipe, number)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_long_form(world: World, recipe: type[Recipe], number: int) -> None:
    check(world, recipe, number, long=True)

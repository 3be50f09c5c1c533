"""docs/recipes.md tells of the twelve as they are judged, and of everybody who is."""

from __future__ import annotations

import re

from tests.marked import renewed
from tests.recipes.twelve.contenders.controls import CONTROLS
from tests.recipes.twelve.contenders.roster import COMPARED, CONTENDERS
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.table import PAGE, explanations

PAGE_TEXT = PAGE.read_text()


def part(name: str) -> str:
    return re.search(f"<!-- {name} -->(.*)<!-- /{name} -->", PAGE_TEXT, re.DOTALL)[1]


def rows(name: str) -> list[list[str]]:
    lines = [line for line in part(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_property_is_explained_as_it_is_tested() -> None:
    assert renewed(PAGE_TEXT, "explanations", explanations()) == PAGE_TEXT


def test_everybody_has_a_verdict_on_each_property_and_it_is_the_expected_one() -> None:
    head, _, *body = rows("matrix")
    titles = {recipe.title: recipe for recipe in [*CONTENDERS, *COMPARED]}
    assert set(titles) <= set(head[1:])  # the page may tell of one that needs a newer Python
    assert [row[0] for row in body] == [f"{n}. {m.TITLE}" for n, m in PROPERTIES.items()]
    for number, row in enumerate(body, 1):
        for title, sign in zip(head[1:], row[1:], strict=True):
            if title in titles:
                assert sign in ("✘", "–") if number in titles[title].fails else sign == "✔"


def test_each_control_is_told_and_fails() -> None:
    _, _, *body = rows("controls")
    assert [(row[0], row[1]) for row in body] == [(str(c.number), c.title) for c in CONTROLS]
    assert all(row[2].startswith("✘") for row in body)

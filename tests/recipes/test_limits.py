"""recipes/README.md says when to leave which recipe as the recipes and the judge's counts have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.histories.tally import FILE, load
from tests.histories.verdict import checker, rules
from tests.recipes.limits import PAGE, PROMISES, limits, promises, with_tables


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text("utf-8")
    assert with_tables(page, load(FILE)) == page, "python -m tests.recipes.limits renews it"


def test_each_recipe_has_reasons_to_leave_it() -> None:
    assert {one.leave for one in limits()} == {"streams", "kafka"}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_a_rule_of_the_judge(promise: str) -> None:
    text = "".join(Path(module.__file__).read_text("utf-8") for module in (rules, checker))
    assert f'"{promise}"' in text


def test_a_broken_promise_is_told() -> None:
    kept, broken = PROMISES[:2]
    tally = {"streams": {"histories": 1000, "lost": {"7": [broken], "8": [broken]}}}
    told = promises(tally)
    assert f"| {kept} | 1,000 of 1,000 histories | not counted |" in told
    assert f"| {broken} | 998 of 1,000 histories | not counted |" in told

"""Counts add up over runs, and each run takes seeds of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.histories.shrinking.bugs import Bug
from tests.histories.shrinking.simulated import Simulation
from tests.histories.tally import FIRST, PAGE, add, claim, load, survived, table, with_table
from tests.histories.verdict.checker import judge, losses


def test_counts_add_up_and_a_loss_is_kept_with_its_seed(tmp_path: Path) -> None:
    file = tmp_path / "histories.json"
    good = Simulation(1).run()
    bad = next(h for n in range(20) if judge(h := Simulation(n, Bug.MAXLEN).run()))
    stated = next(h for n in range(20) if losses(h := Simulation(n, disasters=True).run()))
    for history in (good, bad):
        add(file, "streams", claim(file, "streams"), history, judge(history))
    entry = load(file)["streams"]
    assert claim(file, "streams") == FIRST + 2
    assert entry["histories"] == 2
    assert sum(entry["operations"].values()) == len(good.operations) + len(bad.operations)
    assert list(entry["lost"]) == [str(FIRST + 1)]
    assert any(line.startswith("| streams | 2 |") for line in table(load(file)))
    add(file, "streams", claim(file, "streams"), stated, judge(stated))
    assert f"| {len(losses(stated))} | 1 | 0 |" in table(load(file))[2]


def test_a_history_that_the_judge_did_not_see_is_none(tmp_path: Path) -> None:
    """Neither survived nor broken, whatever else was found in it."""
    file = tmp_path / "histories.json"
    good, disastrous = Simulation(1).run(), Simulation(1, disasters=True).run()
    blind = replace(disastrous, changes=[])
    for history in (good, blind):
        add(file, "streams", claim(file, "streams"), history, judge(history))
    entry = load(file)["streams"]
    seen = survived(entry)
    assert (seen.histories, seen.broken, seen.blind) == (1, 0, 1)
    assert seen.operations == len(good.operations)
    assert seen.faults.total() == len(good.faults)
    assert list(entry["blind"]) == [str(FIRST + 1)]


def test_the_page_has_a_place_for_the_table() -> None:
    page = with_table(PAGE.read_text("utf-8"), {})
    assert with_table(page, {}) == page
    with pytest.raises(ValueError, match="no place"):
        with_table("", {})

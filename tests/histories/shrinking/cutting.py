"""Cutting a failing run of a real recipe down, within a time: each try starts from what `reset` leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.histories.recipes.interface import Recipe
from tests.histories.run import Script, Size, perform
from tests.histories.shrinking.shrink import shrink
from tests.histories.verdict.checker import LATE, Finding, judge, out_of_time
from tests.histories.verdict.history import History
from tests.histories.world.faults import Plan
from tests.histories.world.operations import Request

_PATIENCE = 5.0  # seconds for each try, at least


@dataclass(frozen=True)
class Least:
    """The shortest script that failed, with its history and what was found in it."""

    play: Script
    history: History
    findings: list[Finding]
    tries: int = 0


def cut_down(
    recipe: Recipe,
    play: Script,
    size: Size,
    failed: History,
    findings: Sequence[Finding],
    minutes: float,
    say: Callable[[str], None],
) -> Least | None:
    """Leave out steps as long as something is lost, or the same was late; None if it does not fail again.

    What is lost may break one rule or the other, from run to run; and the moments are the machine's, so each
    shorter script has two chances.
    `failed` is the run's history: a queue that drained in it gets three times as long in each try.
    After so many minutes the shortest that was found by then is returned. `say` hears of each try.
    """
    rules = {finding.rule for finding in findings}
    patience = _PATIENCE if LATE in rules else max(_PATIENCE, 3 * failed.drained_in)
    impatient = replace(size, patience=min(size.patience, patience), grace=0.0)
    deadline = time.monotonic() + minutes * 60
    least: Least | None = None
    tries = 0

    def fails(left: Sequence[Request | Plan]) -> bool:
        return once(left) or once(left)

    def once(left: Sequence[Request | Plan]) -> bool:
        nonlocal least, tries
        if time.monotonic() > deadline:
            return False
        tries += 1
        recipe.reset()
        shorter = play.of(left)
        history = perform(recipe, shorter, impatient)
        found = judge(history)
        say(f"  try {tries}: {len(left)} steps, {len(found)} findings")
        broken = {finding.rule for finding in found}
        same = rules & broken if out_of_time(findings) else found and not out_of_time(found)
        if LATE in broken - rules or not same:  # late is not what it was: a busy machine
            return False
        least = Least(shorter, history, found)
        return True

    try:
        shrink([*play.faults, *play.requests], fails)
    except ValueError:
        return None
    assert least
    return replace(least, tries=tries)

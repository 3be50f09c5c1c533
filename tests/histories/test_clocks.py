"""Clocks that step: what may differ under which step, that nothing else may, and that the steps are real."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories.recipes import gears, streams
from tests.histories.recipes.interface import Recipe
from tests.histories.shortrun import assert_cleared
from tests.histories.verdict.checker import judge, losses
from tests.histories.verdict.clocks import REMEMBERED, STEP, late_expiries
from tests.histories.verdict.history import (
    Change,
    Fault,
    History,
    Kind,
    Operation,
    Outcome,
    Sample,
)
from tests.histories.world.faults import STEPS, Deed
from tests.wallclock import WallClock, needs_steppable_clocks

_MOMENTS = st.integers(0, 40).map(lambda n: n / 4)
_BY = st.sampled_from([by * sign for by in STEPS for sign in (1, -1)])
_PARTS = st.sampled_from(["redis", "database", "worker 1", "door"])
DOCUMENT = {"a": 1, "b": 1}


def _operation(number: int, at: float, kind: Kind) -> Operation:
    value = {Kind.SET: DOCUMENT, Kind.EXPIRE: 0.1}.get(kind)
    ended, done = at + 0.5, Outcome.ACKNOWLEDGED
    return Operation(number, 0, kind, "k", value, at, ended, outcome=done)


def _step(part: str, at: float, by: float) -> Fault:
    return Fault(at, at + 1, STEP, part, by)


@settings(deadline=None)
@given(_PARTS, _MOMENTS, _MOMENTS, _BY)
def test_what_was_deleted_comes_back_only_where_the_database_had_to_forget_it(
    part: str, deleted: float, stepped: float, by: float
) -> None:
    history = History(
        [_operation(1, 0, Kind.SET), _operation(2, 1 + deleted, Kind.DELETE)],
        [Change(0.5, "k", DOCUMENT), Change(2 + deleted, "k", None), Change(30, "k", DOCUMENT)],
        [_step(part, stepped, by)],
        database={"k": DOCUMENT},
    )
    if part == "database" and abs(by) >= REMEMBERED and 1 + deleted < stepped + 1:
        assert judge(history) == []
        assert [loss.rule for loss in losses(history)] == ["came back, and may"]
    else:
        assert "nothing deleted comes back" in {finding.rule for finding in judge(history)}
        assert losses(history) == []


@settings(deadline=None)
@given(_PARTS, _MOMENTS, _MOMENTS, _BY)
def test_a_document_expires_late_only_where_it_was_told_while_redis_was_ahead(
    part: str, asked: float, stepped: float, by: float
) -> None:
    history = History(
        [_operation(1, 0, Kind.SET), _operation(2, asked, Kind.EXPIRE)],
        [Change(0.5, "k", DOCUMENT)],
        [_step(part, stepped, by)],
        redis={"k": DOCUMENT},
        database={"k": DOCUMENT},
        samples=[Sample(60, 0, 0.0, expiring=1)],
    )
    meanwhile = asked <= stepped + 1 and asked + 0.5 >= stepped
    assert bool(judge(history)) != (part == "redis" and by > 0 and meanwhile)
    history.samples[0] = Sample(60, 0, 0.0, expiring=0)
    assert judge(history) == []


@settings(deadline=None)
@given(_PARTS, _MOMENTS, _BY)
def test_a_step_excuses_no_write_that_is_missing_older_or_late(
    part: str, stepped: float, by: float
) -> None:
    first, second = _operation(1, 1, Kind.SET), _operation(2, 2, Kind.MERGE)
    second = Operation(**{**vars(second), "value": {"b": 2}})
    fault, new = [_step(part, stepped, by)], {"a": 1, "b": 2}
    seen = [Change(3, "k", new), Change(4, "k", DOCUMENT)]
    for changes in ([], seen[1:], seen):
        stored = {"k": changes[-1].document} if changes else {}
        history = History([first, second], changes, fault, redis={"k": new}, database=stored)  # type: ignore[arg-type]
        assert judge(history)
    good = History([first, second], seen[:1], fault, redis={"k": new}, database={"k": new})
    assert judge(good) == []
    good.samples = [Sample(60, 1, 0.0)]
    assert judge(good)
    assert late_expiries(good) == 0


LOOKS = """
import sys, time
began = time.monotonic()
for _ in range(3):
    right = float(sys.stdin.readline())
    print(round(time.time() - right), flush=True)
time.sleep(0.01)
assert time.monotonic() - began < 600
"""


def test_a_process_sees_its_clock_step_and_its_other_clocks_go_on(tmp_path: Path) -> None:
    needs_steppable_clocks()
    clock = WallClock(tmp_path, "one")
    words = [sys.executable, "-c", LOOKS]
    with subprocess.Popen(
        words, env=clock.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for by in (3600, -90_000, 0):
            clock.step(by)
            process.stdin.write(f"{time.time()}\n")
            process.stdin.flush()
            assert abs(int(process.stdout.readline()) - by) < 600
    assert process.returncode == 0


@pytest.mark.parametrize("recipe", [streams.on_mongodb_everysec, streams.on_postgresql_everysec])
def test_a_short_run_in_which_redis_goes_back_with_its_clock_is_cleared(
    recipe: Callable[[], Recipe], tmp_path: Path
) -> None:
    needs_steppable_clocks()
    assert_cleared(recipe(), tmp_path, Deed.BEHIND)


@pytest.mark.parametrize("recipe", [streams.on_mongodb, streams.on_postgresql, gears.hardened])
def test_a_short_run_is_cleared(recipe: Callable[[], Recipe], tmp_path: Path) -> None:
    needs_steppable_clocks()
    assert_cleared(recipe(), tmp_path, Deed.CLOCK)

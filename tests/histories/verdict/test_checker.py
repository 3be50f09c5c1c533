"""The judge is judged: it finds what was planted, clears what is right, and says what was lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories.shrinking.bugs import Bug
from tests.histories.shrinking.planted import BUGS, SEEDS, cut_down, finds
from tests.histories.shrinking.shrink import shrink
from tests.histories.shrinking.simulated import Simulation
from tests.histories.verdict import linear
from tests.histories.verdict.checker import Goals, judge, out_of_time
from tests.histories.verdict.history import (
    Change,
    DeadLetter,
    History,
    Kind,
    Operation,
    Outcome,
    Sample,
)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found_within_a_few_seeds_and_cut_down_to_ten_steps(bug: Bug) -> None:
    seed = next(seed for seed in range(SEEDS) if finds(seed, bug))
    assert cut_down(seed, bug).steps <= 10


@pytest.mark.parametrize("trouble", ["none", "disasters", "replicated", "set_back"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_recipe_without_a_bug_is_cleared(seed: int, trouble: str) -> None:
    troubles = {trouble: True} if trouble != "none" else {}
    assert judge(Simulation(seed, steps=80, **troubles).run()) == []


def test_the_same_turns_make_the_same_history() -> None:
    whole = Simulation(1, disasters=True)
    history = whole.run()
    assert Simulation(1, disasters=True).run(whole.turns) == history


def test_a_judge_that_has_seen_nothing_clears_nobody() -> None:
    """Its change stream may have gone unnoticed."""
    [finding] = judge(replace(Simulation(1).run(), changes=[]))
    assert finding.rule == "the judge sees what happens"


def test_a_judge_that_went_blind_in_between_clears_nobody() -> None:
    """What it was told until then may be all right, and is half of what happened."""
    seen = Simulation(1).run()
    missed = replace(seen, changes=seen.changes[: len(seen.changes) // 2])
    [finding] = judge(replace(missed, notes=missed.notes | {"blind": True}))
    assert finding.rule == "the judge sees what happens"
    assert judge(replace(missed, notes=missed.notes | {"blind": False})) == []


def test_a_history_is_the_same_after_a_trip_to_a_file(tmp_path: Path) -> None:
    history = Simulation(1).run()
    history.save(tmp_path / "history.jsonl")
    assert History.load(tmp_path / "history.jsonl") == history


def _operation(number: int, kind: Kind, at: float, **more: object) -> Operation:
    values = {"value": {"a": number} if kind in (Kind.SET, Kind.MERGE, Kind.PUT) else None}
    values |= {"ended": at + 0.5, "outcome": Outcome.ACKNOWLEDGED} | more
    return Operation(number, 0, kind, "k", invoked=at, **values)


def _history(*operations: Operation, changes: list[Change], **more: object) -> History:
    end = {"k": changes[-1].document} if changes and changes[-1].document else {}
    return History(list(operations), changes, redis=end, database=end, **more)


def _rules(history: History) -> set[str]:
    return {finding.rule for finding in judge(history)}


def test_a_lost_write_is_named() -> None:
    [finding] = judge(
        _history(
            _operation(1, Kind.SET, 1),
            _operation(2, Kind.MERGE, 2, value={"b": 2}),
            changes=[Change(3, "k", {"a": 1})],
        )
    )
    assert finding.rule == "nothing acknowledged is missing"
    assert finding.operations == (2,)
    assert "merge k" in finding.sentence


def test_a_document_that_goes_back_is_found_even_if_it_recovers() -> None:
    first, second = {"a": 1}, {"a": 2}
    changes = [Change(n, "k", d) for n, d in ((3, first), (4, second), (5, first), (6, second))]
    history = _history(_operation(1, Kind.SET, 1), _operation(2, Kind.SET, 2), changes=changes)
    assert _rules(history) == {"no document goes back to an older version"}


def test_what_was_deleted_and_is_back_is_found() -> None:
    operations = [_operation(1, Kind.SET, 1), _operation(2, Kind.DELETE, 2)]
    changes = [Change(3, "k", {"a": 1}), Change(4, "k", None), Change(5, "k", {"a": 1})]
    assert "nothing deleted comes back" in _rules(_history(*operations, changes=changes))
    assert _rules(_history(*operations, changes=changes[:2])) == set()


def test_an_unknown_write_may_be_there_or_not_but_whole() -> None:
    unknown = replace(_operation(2, Kind.SET, 2), outcome=Outcome.UNKNOWN, value={"a": 2, "b": 2})
    first = _operation(1, Kind.SET, 1, value={"a": 1, "b": 1})
    for document in ({"a": 1, "b": 1}, {"a": 2, "b": 2}):
        assert _rules(_history(first, unknown, changes=[Change(3, "k", document)])) == set()
    half = _history(first, unknown, changes=[Change(3, "k", {"a": 2, "b": 1})])
    assert _rules(half) == {"order per key, and whole documents"}


def test_nothing_is_in_the_database_before_anybody_wrote_it() -> None:
    history = _history(_operation(1, Kind.SET, 5), changes=[Change(3, "k", {"a": 1})])
    assert _rules(history) == {"order per key, and whole documents"}


def test_a_lost_increment_is_found_by_its_result() -> None:
    operations = [
        _operation(1, Kind.SET, 1, value={"n": 0}),
        _operation(2, Kind.INCREMENT, 2, value=1, result=1),
        _operation(3, Kind.INCREMENT, 3, value=1, result=2),
    ]
    assert _rules(_history(*operations, changes=[Change(4, "k", {"n": 2})])) == set()
    assert _rules(_history(*operations, changes=[Change(4, "k", {"n": 1})]))


def test_a_rename_moves_the_document() -> None:
    operations = [_operation(1, Kind.SET, 1), _operation(2, Kind.RENAME, 2, value="k2")]
    changes = [Change(3, "k2", {"a": 1})]
    moved = History(operations, changes, redis={"k2": {"a": 1}}, database={"k2": {"a": 1}})
    assert _rules(moved) == set()
    assert _rules(replace(moved, redis={}, database={}, changes=[]))


def test_what_expires_takes_a_later_write_with_it_or_stays_but_whole() -> None:
    operations = [
        _operation(1, Kind.SET, 1),
        _operation(2, Kind.EXPIRE, 2, value=5.0),
        _operation(3, Kind.SET, 3, value={"a": 3, "b": 3}),
    ]
    changes = [Change(3, "k", {"a": 1}), Change(4, "k", {"a": 3, "b": 3}), Change(8, "k", None)]
    assert _rules(_history(*operations, changes=changes)) == set()
    assert _rules(_history(*operations, changes=changes[:2])) == set()
    assert _rules(_history(*operations, changes=changes[:1]))
    back = Change(9, "k", {"a": 3, "b": 3})
    assert _rules(_history(*operations, changes=[*changes, back]))


def test_dead_letters_hold_what_was_refused_and_nothing_else() -> None:
    poison = _operation(1, Kind.SET, 1, value={"a": 1})
    letter, notes = DeadLetter("k", 1), {"poison": [1]}
    rule = "what was refused is in the dead letters, once"
    for letters, expected in (([], {rule}), ([letter], set()), ([letter] * 2, {rule})):
        history = _history(poison, changes=[], dead_letters=letters, notes=notes)
        assert _rules(history) == expected
    good = _history(poison, changes=[Change(2, "k", {"a": 1})], dead_letters=[letter])
    assert _rules(good) == {"only what was refused is in the dead letters"}


def test_a_queue_that_does_not_drain_is_found() -> None:
    late = _history(
        _operation(1, Kind.SET, 1), changes=[Change(2, "k", {"a": 1})], samples=[Sample(9, 3, 4.0)]
    )
    assert _rules(late) == {"lag and depth return below their goals"}
    assert judge(late, Goals(depth=3, oldest=4.0)) == []


def test_a_queue_that_drains_late_has_lost_nothing_but_time() -> None:
    drained = [Sample(9, 3, 4.0), Sample(9 + 61, 0, 0.0)]
    history = _history(
        _operation(1, Kind.SET, 1),
        changes=[Change(2, "k", {"a": 1})],
        samples=drained,
        notes={"patience": 60.0},
    )
    [finding] = judge(history)
    assert out_of_time([finding])
    assert "after 61.0 s" in finding.sentence
    assert judge(replace(history, samples=drained[1:])) == []
    lost = judge(replace(history, database={}))
    assert lost
    assert not out_of_time(lost)


def test_a_search_that_grows_too_large_says_so() -> None:
    unknown = [replace(_operation(n, Kind.SET, 1), outcome=Outcome.UNKNOWN) for n in range(12)]
    found = linear.explain(unknown, [], linear.End({"k": {"a": "nobody's"}}), budget=50)
    assert found is linear.Verdict.TOO_LARGE


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 60), min_size=1, max_size=5))
def test_shrinking_finds_exactly_what_is_needed(needed: set[int]) -> None:
    assert set(shrink(range(61), lambda steps: needed <= set(steps))) == needed


def test_shrinking_refuses_a_run_that_does_not_fail() -> None:
    with pytest.raises(ValueError, match="does not fail"):
        shrink([1, 2], lambda steps: False)

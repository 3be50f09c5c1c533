"""What may be lost under which fault: each rule, and that nothing beyond it is excused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories.shrinking.bugs import DISASTROUS, Bug
from tests.histories.shrinking.simulated import Simulation
from tests.histories.verdict.checker import judge, losses
from tests.histories.verdict.durability import BEHIND, FLUSH, FULL, KILL, POWER, SUCCEED
from tests.histories.verdict.history import (
    NEVER,
    Change,
    Document,
    Fault,
    History,
    Kind,
    Operation,
    Outcome,
)

WINDOW = 2.0
_MOMENTS = st.integers(0, 40).map(lambda n: n / 4)  # seconds, all of them exact


def _write(number: int, at: float, kind: Kind = Kind.SET, **more: Any) -> Operation:
    values = {"value": {"a": number} if kind is not Kind.DELETE else None}
    values |= {"ended": at + 0.5, "outcome": Outcome.ACKNOWLEDGED} | more
    return Operation(number, 0, kind, "k", invoked=at, **values)


def _history(
    operations: list[Operation],
    faults: list[tuple[str, float]],
    changes: list[tuple[float, Document | None]] = (),  # type: ignore[assignment]
    redis: Document | None = None,
) -> History:
    seen = [Change(at, "k", document) for at, document in changes]
    stored = seen[-1].document if seen else None
    return History(
        operations,
        seen,
        [Fault(at, at, what, "redis") for what, at in faults],
        redis={"k": redis} if redis else {},
        database={"k": stored} if stored else {},
        notes={"window": WINDOW},
    )


def _rules(history: History) -> set[str]:
    return {finding.rule for finding in judge(history)}


MISSING = "nothing acknowledged is missing"


@settings(deadline=None)
@given(_MOMENTS, _MOMENTS, st.sampled_from([POWER, BEHIND, KILL, FLUSH]))
def test_a_lost_write_is_excused_by_what_may_take_it_and_by_nothing_else(
    wrote: float, struck: float, what: str
) -> None:
    write = _write(1, wrote)
    history = _history([write], [(what, struck)])
    oldest = float("-inf") if what == FLUSH else struck - WINDOW
    if wrote < struck and write.ended >= oldest:
        assert judge(history) == []
        [loss] = losses(history)
        assert loss.operations == (1,)
        assert what in loss.sentence
    else:
        assert MISSING in _rules(history)
        assert losses(history) == []


@settings(deadline=None)
@given(_MOMENTS, _MOMENTS)
def test_without_a_window_only_a_stranger_takes_anything(wrote: float, struck: float) -> None:
    history = _history([_write(1, wrote)], [(POWER, struck), (KILL, struck)])
    history.notes["window"] = 0.0
    assert MISSING in _rules(history)


def test_what_came_too_early_to_be_lost_is_told_with_the_reason() -> None:
    [finding] = judge(_history([_write(1, 1)], [(POWER, 9)]))
    assert "acknowledged too early for the power cut at 8.00 s" in finding.sentence
    [finding] = judge(_history([_write(1, 8)], [(FLUSH, 2)]))
    assert "no fault that takes anything came after it" in finding.sentence


def test_what_waits_for_a_full_disk_may_be_lost_for_longer() -> None:
    write, cut = _write(1, 1), (POWER, 6.0)
    assert MISSING in _rules(_history([write], [cut]))
    full = Fault(2, 5, FULL, "redis")
    history = _history([write], [cut])
    history.faults.insert(0, full)
    assert judge(history) == []
    history.faults[0] = Fault(2, 3, FULL, "redis")  # long over
    assert MISSING in _rules(history)


def test_what_the_database_had_stays_after_a_flush() -> None:
    operations, before = [_write(1, 1)], (2.0, {"a": 1})
    assert judge(_history(operations, [(FLUSH, 3)], [before])) == []
    gone = _history(operations, [(FLUSH, 3)], [before, (4.0, None)])
    assert "what the database has, a FLUSHALL of Redis leaves" in _rules(gone)
    deleted = [*operations, _write(2, 3.25, Kind.DELETE)]
    assert judge(_history(deleted, [(FLUSH, 3)], [before, (4.0, None)])) == []


@pytest.mark.parametrize("what", [FLUSH, POWER])
def test_what_is_written_afterwards_is_whole_and_in_both_stores(what: str) -> None:
    """Redis lost `a`, so nothing that is merged later can bring it along."""
    operations = [_write(1, 1), _write(2, 4, Kind.MERGE, value={"b": 2})]
    fault, old, new, mixed = (what, 2.0), (1.75, {"a": 1}), {"b": 2}, {"a": 1, "b": 2}
    assert judge(_history(operations, [fault], [old, (5.0, new)], redis=new)) == []
    assert _rules(_history(operations, [fault], [old, (5.0, mixed)], redis=new))
    assert MISSING in _rules(_history(operations, [fault], [old], redis=new))
    assert _rules(_history(operations, [fault], [(5.0, None)], redis=new))


def test_the_database_may_come_back_to_what_redis_holds_after_a_power_cut() -> None:
    """What waited comes again, newer than what was lost; after a FLUSHALL nothing waits."""
    operations, first, lost = [_write(1, 1), _write(2, 2)], (1.75, {"a": 1}), (2.75, {"a": 2})
    for what in (POWER, BEHIND):
        back = [first, lost, (4.0, {"a": 1})]
        assert judge(_history(operations, [(what, 3)], back, redis={"a": 1})) == []
        assert _rules(_history(operations, [(what, 3)], [*back, (5.0, {"a": 2})], redis={"a": 1}))
        assert _rules(_history(operations, [(what, 3)], [first, lost, (4.0, None)], redis={"a": 1}))
    assert _rules(_history(operations, [], back, redis={"a": 1}))
    assert _rules(_history(operations, [(FLUSH, 3)], [first, lost, (4.0, {"a": 1})]))


def test_the_database_may_come_back_to_what_a_replica_holds_that_took_over() -> None:
    """As in seed 1000044 of streams-cluster-replicas: only the settling of the first write was lost with the second."""
    unknown = _write(2, 1.75, ended=NEVER, outcome=Outcome.UNKNOWN)
    seen = [(1.5, {"a": 1}), (1.9, {"a": 2}), (4.0, {"a": 1})]
    assert judge(_history([_write(1, 1), unknown], [(SUCCEED, 2)], seen, redis={"a": 1})) == []
    assert _rules(_history([_write(1, 1), unknown], [], seen, redis={"a": 1}))


def test_a_power_cut_takes_no_write_and_leaves_a_later_one() -> None:
    operations = [_write(1, 1), _write(2, 2, Kind.MERGE, value={"b": 2})]
    torn = {"b": 2}
    assert _rules(_history(operations, [(POWER, 3)], [(4.0, torn)], redis=torn))
    whole = {"a": 1}
    assert judge(_history(operations, [(POWER, 3)], [(4.0, whole)], redis=whole)) == []


def test_what_was_written_and_deleted_and_lost_may_be_in_the_database_half_way() -> None:
    operations = [_write(1, 1), _write(2, 2, Kind.DELETE)]
    assert judge(_history(operations, [(POWER, 3)], [(1.75, {"a": 1})])) == []
    assert _rules(_history(operations, [], [(1.75, {"a": 1})]))


def test_a_power_cut_leaves_document_and_entry_or_takes_both() -> None:
    assert _rules(_history([_write(1, 1)], [(POWER, 2)], [], redis={"a": 1}))
    assert judge(_history([_write(1, 1)], [(POWER, 2)], [(1.75, {"a": 1})])) == []


def test_what_was_tried_when_the_answers_were_lost_may_apply_twice() -> None:
    """Once before, which the database has, and once after: then `n` counts from what was left."""
    one = {"a": 1, "n": 0}
    operations = [
        _write(1, 1, value=one),
        _write(2, 2, Kind.INCREMENT, value=1, ended=4.0, result=1),
    ]
    changes = [(1.75, one), (2.5, {"a": 1, "n": 1})]
    end = {"a": 1, "n": 1}
    assert judge(_history(operations, [(POWER, 3)], changes, redis=end)) == []
    done, seen = operations[0], (3.5, {"a": 1, "n": 2})
    twice = [done, _write(2, 3.25, Kind.INCREMENT, value=1, result=2)]
    assert _rules(_history(twice, [(POWER, 3)], [*changes, seen], redis=seen[1]))


def test_a_replica_that_takes_over_takes_only_what_was_not_acknowledged() -> None:
    """The database may have it, until the key is written again."""
    taken = (SUCCEED, 2)
    [finding] = judge(_history([_write(1, 1)], [taken]))
    assert "a replica had it when one took over at 1.00 s" in finding.sentence
    unknown = _write(1, 1, ended=NEVER, outcome=Outcome.UNKNOWN)
    stored = [(1.75, {"a": 1})]
    assert judge(_history([unknown], [taken], stored)) == []
    assert _rules(_history([unknown], [], stored))
    again, new = _write(2, 3), {"a": 2}
    assert judge(_history([unknown, again], [taken], [*stored, (4.0, new)], redis=new)) == []
    assert _rules(_history([unknown, again], [taken], stored))


def test_an_expiry_that_was_taken_back_is_as_lost_as_what_took_it_back() -> None:
    expire = _write(2, 2, Kind.EXPIRE, value=9.0)
    persist = _write(3, 3, Kind.PERSIST, value=None)
    operations, changes = [_write(1, 1), expire, persist], [(1.75, {"a": 1}), (9.0, None)]
    assert "what was persisted stays" in _rules(_history(operations, [], changes))
    assert judge(_history(operations, [(POWER, 4)], changes)) == []
    assert _rules(_history(operations, [(POWER, 8)], changes))


@pytest.mark.parametrize("bug", sorted(DISASTROUS, key=lambda bug: bug.name))
def test_a_bug_that_shows_in_a_disaster_is_no_loss_as_stated(bug: Bug) -> None:
    assert any(judge(Simulation(seed, bug).run()) for seed in range(8))


def test_losses_as_stated_are_found_in_disasters_alone() -> None:
    assert any(losses(Simulation(seed, disasters=True).run()) for seed in range(8))
    assert not any(losses(Simulation(seed).run()) for seed in range(8))

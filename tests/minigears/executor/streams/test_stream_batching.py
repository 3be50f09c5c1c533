from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigears.executor.streams.batching import (
    RECOUNT_SECONDS,
    Agenda,
    StreamArgs,
    StreamState,
    age_ms,
    batch_time,
    due_without_counting,
)

TIMED = StreamArgs("s:*", batch=10, duration=100)
UNTIMED = StreamArgs("s:*", batch=10)


@pytest.mark.parametrize(
    ("args", "unread", "due"),
    [
        (TIMED, 0, inf),
        (TIMED, 1, 5.1),
        (TIMED, 9, 5.1),
        (TIMED, 10, 7.0),
        (TIMED, 11, 7.0),
        (UNTIMED, 0, inf),
        (UNTIMED, 9, inf),
        (UNTIMED, 10, 7.0),
    ],
)
def test_a_batch_is_due_when_it_is_full_or_old(args, unread, due):
    assert batch_time(unread, since=5.0, now=7.0, args=args) == pytest.approx(due)


@pytest.mark.parametrize(
    ("args", "state", "due"),
    [
        (UNTIMED, StreamState(b"s", since=0.0), False),
        (UNTIMED, StreamState(b"s", since=0.0, drain=True), True),
        (StreamArgs("s"), StreamState(b"s"), True),
        (TIMED, StreamState(b"s"), False),
        (TIMED, StreamState(b"s", since=6.95), False),
        (TIMED, StreamState(b"s", since=6.9), True),
    ],
)
def test_when_counting_is_not_needed(args, state, due):
    assert due_without_counting(state, now=7.0, args=args) is due


def test_a_stream_that_fills_up_is_not_counted_for_each_entry():
    state = StreamState(b"s", counted=5.0)
    assert state.touch(4.0) == 5.0 + RECOUNT_SECONDS
    assert state.touch(6.0) == 6.0
    assert state.since == 4.0


def test_a_full_read_may_leave_entries_and_a_short_one_does_not():
    state = StreamState(b"s", drain=True, since=1.0)
    assert state.read(10, 10, cut=False)
    assert state.drain
    assert state.leftover
    assert state.since is None
    assert not state.read(9, 10, cut=False)
    assert not state.drain
    assert not state.leftover
    assert state.read(3, 10, cut=True)
    assert state.owed == 7


def test_the_age_of_an_entry_comes_from_an_id_that_tells_the_time():
    now = 1_790_000_000_000
    assert age_ms(b"1789999999000-0", now) == 1000
    assert age_ms(b"1790000000005-3", now) == 0
    assert age_ms(b"5-1", now) == 0


@pytest.mark.parametrize(
    ("prefix", "key", "matches"),
    [
        ("s:*", b"s:1", True),
        ("s:*", b"s:", True),
        ("s:*", b"t:1", False),
        ("s", b"s", True),
        ("s", b"s:1", False),
        ("*", b"\xff", True),
        ("a[b]*", b"a[b]c", True),
        ("a[b]*", b"abc", False),
    ],
)
def test_a_prefix_ends_with_a_star(prefix, key, matches):
    assert StreamArgs(prefix).matches(key) is matches


@pytest.mark.parametrize(
    "bad",
    [
        {"batch": 0},
        {"duration": -1},
        {"on_failed_policy": "ignore"},
        {"on_failed_retry_interval": -1},
    ],
)
def test_bad_arguments_are_refused(bad):
    with pytest.raises(ValueError, match=r"batch|policy"):
        StreamArgs("s", **bad)


_KEYS = st.sampled_from([b"a", b"b", b"c"])
_TIMES = st.one_of(st.just(inf), st.integers(0, 20).map(float))


@given(st.lists(st.tuples(_KEYS, st.one_of(_TIMES, st.none()))))
def test_an_agenda_gives_the_stream_that_is_due_longest(steps):
    """Against a plain dictionary: put, drop (time None), then pop all in order."""
    agenda = Agenda()
    model: dict[bytes, float] = {}
    states = {key: StreamState(key) for key in (b"a", b"b", b"c")}
    for key, when in steps:
        if when is None:
            agenda.drop(states[key])
            model.pop(key, None)
        else:
            agenda.put(states[key], when)
            model[key] = when
        assert agenda.next_time() == min(model.values(), default=inf)
    due = [when for when in sorted(model.values()) if when <= 10]
    popped = []
    while (state := agenda.pop(10)) is not None:
        popped.append(model[state.key])
    assert popped == due
    assert agenda.next_time() == min((w for w in model.values() if 10 < w < inf), default=inf)


def test_an_agenda_forgets_times_that_no_longer_hold():
    agenda = Agenda()
    states = [StreamState(b"%d" % number) for number in range(3)]
    for number in range(100_000):
        agenda.put(states[number % 3], float(number))
    assert len(agenda._heap) < 100
    assert agenda.pop(inf) is states[99_997 % 3]

"""The table of a client connection's states."""

from __future__ import annotations

import pytest

from minigears.door.clients.replies import ReplyStream
from minigears.door.clients.states import AT_REST, Place, State, Transition, WrongStateError


def test_every_state_can_be_reached_and_left():
    reached = {State.CONNECTING}
    while more := {s.after for s in Transition if reached.intersection(s.before)} - reached:
        reached |= more
    assert reached == set(State)
    for state in set(State) - {State.CLOSED, State.TURNED_AWAY}:
        assert any(
            state in s.before and s.after is not state
            for s in Transition
            if s is not Transition.CLOSE
        )


@pytest.mark.parametrize("step", Transition)
@pytest.mark.parametrize("state", State)
def test_a_step_that_is_not_in_the_table_raises(state, step):
    place = Place()
    place.now = state
    if state in step.before:
        place.take(step)
        assert place.now is step.after
    else:
        with pytest.raises(WrongStateError, match=f"{step.name} in the state {state.name}"):
            place.take(step)
        assert place.now is state


@pytest.mark.parametrize("state", [State.AWAY, State.GREETING])
def test_a_client_goes_its_own_way_only_when_nothing_is_on_its_way(state):
    assert state not in Transition.PART.before
    assert state not in AT_REST


def counting() -> ReplyStream:
    stream = ReplyStream(lambda data: None, lambda holds: None)
    stream.count_from_start()
    return stream


@pytest.mark.parametrize(
    "early",
    [
        lambda stream: stream.capture(lambda raw: None),
        lambda stream: stream.stop_counting(),
        lambda stream: stream.count_from_start(),
    ],
)
def test_what_needs_every_reply_raises_while_one_is_missing(early):
    stream = counting()
    stream.sent(1)
    with pytest.raises(WrongStateError):
        early(stream)
    stream.feed(b"+OK\r\n")
    assert stream.drained


def test_no_reply_is_taken_away_twice_or_from_a_stream_that_is_not_counted():
    stream = counting()
    stream.capture(lambda raw: None)
    with pytest.raises(WrongStateError):
        stream.capture(lambda raw: None)
    with pytest.raises(WrongStateError):
        ReplyStream(lambda data: None, lambda holds: None).capture(lambda raw: None)

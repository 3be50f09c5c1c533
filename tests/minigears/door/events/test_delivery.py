"""Who waits for which events."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from minigears.door.events.delivery import Delivery


def test_a_key_without_events_is_not_waited_for():
    called = []
    Delivery().wait([b"k"], True, lambda: called.append(1))
    assert called == [1]


def test_waiting_ends_with_the_last_event_of_the_keys():
    delivery, called = Delivery(), []
    first, second = (delivery.add("r", b"k", "set", True) for _ in range(2))
    other = delivery.add("r", b"other", "set", True)
    delivery.wait([b"k"], True, lambda: called.append(1))
    delivery.done([other.seq, first.seq])
    assert called == []
    delivery.done([second.seq])
    assert called == [1]
    assert len(delivery) == 0


def test_sync_waiters_do_not_wait_for_asynchronous_functions():
    delivery, called = Delivery(), []
    slow = delivery.add("r", b"k", "set", False)
    delivery.wait([b"k"], True, lambda: called.append("sync"))
    delivery.wait([b"k"], False, lambda: called.append("all"))
    assert called == ["sync"]
    delivery.done([slow.seq])
    assert called == ["sync", "all"]


def test_events_that_come_later_are_not_waited_for():
    delivery, called = Delivery(), []
    now = delivery.add("r", b"k", "set", True)
    delivery.wait([b"k"], True, lambda: called.append(1))
    later = delivery.add("r", b"k", "set", True)
    delivery.done([now.seq])
    assert called == [1]
    assert delivery.outstanding() == [later]


def test_done_twice_and_done_of_strangers_change_nothing():
    delivery, called = Delivery(), []
    event = delivery.add("r", b"k", "set", True)
    delivery.wait([b"k"], True, lambda: called.append(1))
    delivery.done([event.seq, event.seq, 99])
    assert called == [1]


def test_events_of_one_key_may_end_in_any_order():
    delivery, called = Delivery(), []
    events = [delivery.add(name, b"k", "set", True) for name in "abc"]
    delivery.wait([b"k"], True, lambda: called.append("all"))
    delivery.done([events[2].seq])
    delivery.done([events[0].seq])
    assert called == []
    delivery.done([events[1].seq])
    assert called == ["all"]


def test_a_wait_costs_the_same_however_many_events_its_key_has():
    """Steps are counted, as a clock would say what else the machine does."""
    many, few = (steps_of_a_wait(events) for events in (5_000, 50))
    assert many < 2 * few


def steps_of_a_wait(events: int) -> int:
    """Bytecode lines that a wait behind so many events of one key takes, and their end, for each."""
    delivery, steps = Delivery(), 0

    def count(frame, event, argument):
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        for _ in range(events):
            event = delivery.add("r", b"hot", "set", True)
            delivery.wait([b"hot"], True, lambda: None)
        delivery.done(range(1, event.seq + 1))
    finally:
        sys.settrace(before)
    assert len(delivery) == 0
    return steps // events


@given(
    st.lists(st.tuples(st.sampled_from("aw"), st.sampled_from([b"k", b"l"]), st.booleans())),
    st.randoms(),
)
def test_who_waits_is_told_when_the_last_one_ends_and_not_before(steps, chance):
    delivery, told, expected = Delivery(), set(), {}
    left: dict[int, tuple[bytes, bool]] = {}
    for number, (kind, key, sync) in enumerate(steps):
        if kind == "a":
            left[delivery.add("r", key, "set", sync).seq] = (key, sync)
        else:
            expected[number] = {
                s for s, (k, is_sync) in left.items() if k == key and (is_sync or not sync)
            }
            delivery.wait([key], sync, lambda number=number: told.add(number))
    for seq in chance.sample(sorted(left), len(left)):
        assert told == {number for number, waited in expected.items() if not waited & left.keys()}
        del left[seq]
        delivery.done([seq])
    assert told == expected.keys()


def test_long_keys_make_a_registration_crowded_as_many_do():
    delivery = Delivery(limit=100, limit_bytes=1000)
    events = [delivery.add("r", b"x" * 400, "set", False) for _ in range(2)]
    assert not delivery.crowded
    events.append(delivery.add("r", b"x" * 400, "set", False))
    told = []
    delivery.when_room(["r"], lambda: told.append(1))
    assert (delivery.crowded, told) == ({"r"}, [])
    delivery.done([events[0].seq])
    assert (delivery.crowded, told) == (set(), [1])

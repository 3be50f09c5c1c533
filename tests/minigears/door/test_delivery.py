"""Who waits for which events."""

from minigears.door.delivery import Delivery


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

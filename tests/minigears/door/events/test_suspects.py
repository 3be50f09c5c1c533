"""Which events are sent again after a death, and which are given up."""

import pytest

from minigears.door.events.delivery import Event
from minigears.door.events.suspects import Suspects


class Case:
    def __init__(self):
        self.sent, self.given_up = [], []
        self.suspects = Suspects(self.sent.append, self.given_up.append)


@pytest.fixture
def case():
    return Case()


def event(seq):
    return Event(seq, "r", b"k", "set", True)


def test_suspects_go_one_at_a_time(case):
    case.suspects.begin([event(1), event(2)])
    assert case.sent == [event(1)]
    case.suspects.done([1])
    assert case.sent == [event(1), event(2)]


def test_the_one_on_its_way_is_blamed_and_given_up_at_the_third_death(case):
    good, bad = event(1), event(2)
    case.suspects.begin([good, bad])
    case.suspects.done([1])
    for _ in range(2):
        assert case.given_up == []
        case.suspects.begin([bad])
    assert case.given_up == [bad]


def test_the_others_go_on_when_one_is_given_up(case):
    bad, good = event(1), event(2)
    for _ in range(3):
        case.suspects.begin([bad, good])
    assert case.given_up == [bad]
    assert case.sent[-1] == good
    case.suspects.done([2])
    assert case.given_up == [bad]

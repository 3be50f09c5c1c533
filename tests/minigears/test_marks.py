"""Marks that the door believes."""

import random

import pytest

from minigears.marks import _MAX_MISSING, Marker, MarkReader, new_secret


def test_a_mark_counts_once_in_any_order():
    secret = new_secret()
    marker, reader = Marker(secret), MarkReader(secret)
    marks = [marker.begin() for _ in range(200)]
    random.Random(1).shuffle(marks)
    assert all(map(reader.begins, marks))
    assert not any(map(reader.begins, marks))


@pytest.mark.parametrize(
    "forged",
    [
        b"begin",
        b"begin 0",
        b"begin 0 ",
        b"begin x x",
        b"end",
        b"",
        b"\xff",
        b"begin 0 " + b"0" * 64,
    ],
)
def test_what_others_make_up_is_no_mark(forged):
    assert not MarkReader(new_secret()).begins(forged)
    assert not MarkReader(new_secret()).begins(Marker(new_secret()).begin())


def test_numbers_that_were_never_used_take_no_room():
    secret = new_secret()
    marker, reader = Marker(secret), MarkReader(secret)
    first = marker.begin()
    for _ in range(2 * _MAX_MISSING):
        late = marker.begin()
    assert reader.begins(late)
    assert len(reader._missing) <= _MAX_MISSING
    assert not reader.begins(first)  # so old that it counts as used
    assert reader.begins(marker.begin())

import marshal
import socket

import pytest

from minigears.link import FrameReader, Link, LinkClosed, encode

FRAMES = [
    ("events", [(1, "id", b"k\xff", "set", b"string")]),
    ("done", [1, 2]),
    ("result", 3, None),
    "é" * 1000,
]


def test_frames_survive_any_split():
    wire = b"".join(map(encode, FRAMES))
    for size in (1, 3, 7, len(wire)):
        reader = FrameReader()
        got = [f for i in range(0, len(wire), size) for f in reader.feed(wire[i : i + size])]
        assert got == FRAMES


def test_a_frame_is_length_and_payload():
    wire = encode(("x",))
    assert int.from_bytes(wire[:4], "big") == len(wire) - 4
    assert marshal.loads(wire[4:]) == ("x",)


@pytest.fixture
def ends():
    here, there = socket.socketpair()
    a, b = Link(here), Link(there)
    yield a, b
    a.close()
    b.close()


def test_link_sends_and_receives(ends):
    a, b = ends
    for frame in FRAMES:
        a.send(frame)
    assert [b.receive() for _ in FRAMES] == FRAMES
    assert b.receive_available() == []


def test_available_frames_come_at_once(ends):
    a, b = ends
    a.send(1)
    a.send(2)
    assert b.receive() == 1
    assert b.receive_available() == [2]


def test_the_end_is_an_error(ends):
    a, b = ends
    a.close()
    with pytest.raises(LinkClosed):
        b.receive()
    with pytest.raises(LinkClosed):
        b.receive_available()

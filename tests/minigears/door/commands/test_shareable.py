"""Which commands may share a connection, and whose reply is whose. No socket."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigears.commandtable import CommandTable
from minigears.door.commands.classifier import Classifier
from minigears.door.commands.parser import RequestParser
from minigears.door.commands.shareable import _USES, ReplyCutter, Shared, Use
from minigears.interest import Interest
from minigears.protocol import ProtocolError, encode_command

WORD = st.one_of(
    st.sampled_from([b"", b"k", b"*1\r\n$4\r\nPING\r\n", b"\r\n", b"$3\r\n"]),
    st.binary(max_size=120),
    st.integers(95, 1200).map(lambda length: b"\r\n$" * (length // 3) + b"x" * (length % 3)),
)
NAME = st.sampled_from(
    [b"SET", b"get", b"Incr", b"PING", b"json.set", b"FLUSHALL", b"MGET", b"AUTH"]
)
REPLY = st.one_of(
    st.sampled_from([b"+OK\r\n", b":-3\r\n", b"$-1\r\n", b"_\r\n", b",1.5\r\n", b"#t\r\n"]),
    st.sampled_from([b"-ERR no *1 $3\r\n", b"$0\r\n\r\n", b"=7\r\ntxt:abc\r\n", b"(123\r\n"]),
    st.binary(max_size=40).map(lambda value: b"$%d\r\n%b\r\n" % (len(value), value)),
)


def use(data):
    found = Shared().use(data)
    return found and found[0]


@given(NAME, st.lists(WORD, max_size=5), st.integers(0, 400), WORD)
def test_only_one_whole_command_of_the_table_is_known(name, words, cut, junk):
    argv = [name, *words]
    whole = encode_command(argv)
    short = all(len(word) < 100 for word in words[:-1]) and name != b"Incr"
    expected = _USES.get((len(argv), name.upper()))
    assert use(whole) is (expected if short else None)
    assert Shared().use_of(argv) is expected
    for chunk in (whole[:cut], whole[cut:], whole + junk, junk + whole, whole * 2):
        if use(chunk):
            parser = RequestParser()
            assert len(parser.feed(chunk)) == 1
            assert parser.raw == chunk


def test_only_the_last_word_may_be_long_and_only_so_long():
    assert use(encode_command([b"SET", b"k", b"v" * 16_000])) is Use.WRITES
    assert use(encode_command([b"SET", b"k", b"v" * 17_000])) is None
    assert use(encode_command([b"SET", b"k" * 100, b"v" * 100])) is None
    assert use(b"*2\r\n$3\r\nGET\r\n$0100\r\n" + b"k" * 100 + b"\r\n") is None


@given(st.lists(st.tuples(NAME, st.lists(WORD, max_size=3)), max_size=5), st.integers(0, 900))
def test_a_chunk_is_cut_into_the_commands_that_it_consists_of(commands, cut):
    raw = [encode_command([name, *words]) for name, words in commands]
    alone = list(map(Shared().use, raw))
    expected = [(*found, command) for found, command in zip(alone, raw, strict=True) if found]
    assert Shared().cut(b"".join(raw)) == (None if None in alone else expected)
    part = b"".join(raw)[:cut]
    if pieces := Shared().cut(part):
        assert b"".join(command for *_, command in pieces) == part
        assert [command for *_, command in pieces] == raw[: len(pieces)]


def test_a_wrong_length_of_the_name_is_not_known():
    assert use(b"*2\r\n$2\r\nGET\r\n$100\r\n" + b"k" * 100 + b"\r\n") is None
    assert use(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") is Use.READS
    assert use(b"*2\r\n$2\r\nGET\r\n$1\r\nk\r\n") is None
    assert use(b"*2\r\n$03\r\nGET\r\n$1\r\nk\r\n") is None


def test_what_registrations_hook_is_not_shared_and_what_they_watch_is_told():
    watch = {"id": "r", "events": None, "commands": None, "mode": "sync", "prefix": "kind:*"}
    hook = {"id": "h", "command": "incr", "prefix": None}
    frame = {"keys": [watch], "streams": [], "hooks": [hook]}
    classifier = Classifier(
        CommandTable.from_reply(
            [[b"set", -3, [b"write"], 1, 1, 1, [], [], [_key_spec()], []]]  # as Redis tells it
        ),
        Interest.from_frame(frame),
    )
    for argv, told in (
        ([b"SET", b"other:1", b"v"], (Use.WRITES, ())),
        ([b"SET", b"kind:1", b"v"], (Use.WRITES, (b"kind:1",))),
        ([b"SET", b"kind:1", b"long" * 100], (Use.WRITES, (b"kind:1",))),
        ([b"SET", b"other:1", b"kind:"], (Use.WRITES, ())),
        ([b"INCR", b"other:1"], None),
        ([b"DECR", b"other:1"], (Use.WRITES, ())),
    ):
        for shared in (classifier.shared(encode_command(argv)), classifier.shared_command(argv)):
            assert shared == told or (shared and (shared[0], tuple(shared[1])) == told), argv


def _key_spec():
    begin = [b"type", b"index", b"spec", [b"index", 1]]
    find = [b"type", b"range", b"spec", [b"lastkey", 0, b"keystep", 1, b"limit", 0]]
    return [b"flags", [b"RW"], b"begin_search", begin, b"find_keys", find]


@given(st.lists(REPLY, max_size=6), st.lists(st.integers(0, 200), max_size=6))
def test_replies_are_told_apart_wherever_the_stream_is_cut(replies, cuts):
    stream, cutter, got, begun = b"".join(replies), ReplyCutter(), [], b""
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(places):
        for piece, whole in cutter.feed(stream[start:end]):
            begun += piece
            if whole:
                got.append(begun)
                begun = b""
    assert got == replies
    assert begun == b""


def test_the_elements_of_an_array_come_as_replies_of_their_own():
    pieces = ReplyCutter().feed(b"+OK\r\n*2\r\n:1\r\n$1\r\n*\r\n")
    assert pieces == [
        (b"+OK\r\n", True),
        (b"*2\r\n", None),
        (b":1\r\n", True),
        (b"$1\r\n*\r\n", True),
    ]


@pytest.mark.parametrize("reply", [b"%0\r\n", b">1\r\n+a\r\n", b"x\r\n", b"\r\n"])
def test_a_reply_of_another_kind_is_an_error(reply):
    with pytest.raises(ProtocolError):
        ReplyCutter().feed(b"+OK\r\n" + reply)
    with pytest.raises(ProtocolError):
        ReplyCutter().feed(b"+" + b"x" * 70_000)

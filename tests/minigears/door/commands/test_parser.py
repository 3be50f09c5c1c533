"""Commands out of a byte stream: whatever the stream is cut into, the commands are the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigears.door.commands.inline import split_inline
from minigears.door.commands.parser import RequestParser
from minigears.protocol import ProtocolError, encode_command

COMMANDS = st.lists(
    st.lists(st.binary(max_size=40), min_size=1, max_size=5), min_size=1, max_size=8
)


def feed(stream: bytes, cuts: list[int]) -> tuple[list[list[bytes]], bytes]:
    parser, commands, raw, start = RequestParser(), [], b"", 0
    for end in [*sorted(cuts), len(stream)]:
        if end > start:
            commands += parser.feed(stream[start:end])
            raw += parser.raw
            start = end
    assert not parser.held
    return commands, raw


@given(COMMANDS, st.data())
def test_any_cut_gives_the_same_commands_and_the_same_bytes(commands, data):
    stream = b"".join(map(encode_command, commands))
    cuts = data.draw(st.lists(st.integers(1, len(stream)), max_size=6))
    assert feed(stream, cuts) == (commands, stream)


@given(st.binary(max_size=200), st.lists(st.integers(1, 200), max_size=4))
def test_garbage_is_refused_or_waits_for_more(garbage, cuts):
    parser, start = RequestParser(), 0
    for end in [*sorted(c for c in cuts if c < len(garbage)), len(garbage)]:
        try:
            commands = parser.feed(garbage[start:end]) if end > start else []
        except ProtocolError:
            return
        assert all(isinstance(command, list) and command for command in commands)
        start = end


def test_a_value_that_looks_like_a_huge_count_is_just_a_value():
    stream = encode_command([b"SET", b"k", b"*9999999999\r\n" * 50])
    for cut in range(1, len(stream), 7):
        assert feed(stream, [cut]) == ([[b"SET", b"k", b"*9999999999\r\n" * 50]], stream)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"*4294967295\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*1\r\n*1\r\n$1\r\na\r\n", "expected '$'"),
        (b'SET "a\r\n', "unbalanced quotes"),
        (b"x" * 70_000, "too big inline request"),
        (b"*1\r\n$a\r\n", "Bad bulk string length"),
    ],
)
def test_what_redis_refuses_is_refused(stream, message):
    with pytest.raises(ProtocolError, match=re.escape(message)):
        RequestParser().feed(stream)


def test_commands_before_an_error_are_not_lost():
    parser = RequestParser()
    assert parser.feed(encode_command([b"PING"]) + b"+OK\r\n") == [[b"PING"]]
    with pytest.raises(ProtocolError):
        parser.feed(b"x")


def test_a_word_may_not_grow_without_end():
    parser = RequestParser(max_bulk=1000)
    parser.feed(b"*2\r\n$3\r\nGET\r\n$999999999\r\n")
    parser.feed(b"x" * 64_000)
    with pytest.raises(ProtocolError, match="invalid bulk length"):
        parser.feed(b"x" * 64_000)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"SET a 1", [b"SET", b"a", b"1"]),
        (b"  SET \"a b\"  'c d' ", [b"SET", b"a b", b"c d"]),
        (b'ECHO "\\x00\\n\xc3\xa9"', [b"ECHO", b"\x00\n\xc3\xa9"]),
        (b"", []),
        (b"SET a b'c d'", [b"SET", b"a", b"bc d"]),
        (rb"ECHO 'a\'b\n'", [b"ECHO", rb"a'b\n"]),
        (b"ECHO ''", [b"ECHO", b""]),
    ],
)
def test_inline_commands_are_split_as_redis_splits_them(line, words):
    assert split_inline(line) == words


@pytest.mark.parametrize("line", [b'"a"b', b'a"b"c', b"'a", rb'"a\"', rb"'a\\'"])
def test_a_quote_that_does_not_end_its_word_is_refused(line):
    with pytest.raises(ProtocolError, match="unbalanced quotes"):
        split_inline(line)


@pytest.mark.parametrize("bad", [b"*1\r\n$x\r\n", b"*1\r\n:5\r\n", b"*9999999\r\n", b"ECHO 'a\r\n"])
def test_an_error_is_known_at_once_behind_a_command(bad):
    parser = RequestParser()
    assert parser.feed(b"PING\r\n" + bad) == [[b"PING"]]
    assert str(parser.error).startswith("Protocol error")


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_inline_commands_and_others_come_in_any_order(inline, data):
    pieces = [
        b"GET k\r\n" if is_inline else encode_command([b"SET", b"k", b"v"]) for is_inline in inline
    ]
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(1, len(stream)), max_size=4))
    commands, raw = feed(stream, cuts)
    assert commands == [
        [b"GET", b"k"] if is_inline else [b"SET", b"k", b"v"] for is_inline in inline
    ]
    assert raw == b"".join(map(encode_command, commands))


def test_inline_and_resp_commands_mix():
    parser = RequestParser()
    assert parser.feed(b"PING\r\nECHO a\r\n" + encode_command([b"GET", b"k"])) == [
        [b"PING"],
        [b"ECHO", b"a"],
        [b"GET", b"k"],
    ]
    assert not parser.held

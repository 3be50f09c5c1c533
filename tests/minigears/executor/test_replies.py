import math
from http import HTTPStatus

import pytest

from minigears.executor import replies
from minigears.executor.replies import CommandError, Double, Error, SimpleString


@pytest.mark.parametrize(
    ("reply", "raw"),
    [
        (5, b":5\r\n"),
        (True, b":1\r\n"),
        ("hé", b"$3\r\nh\xc3\xa9\r\n"),
        (b"\xff", b"$1\r\n\xff\r\n"),
        (SimpleString("OK"), b"+OK\r\n"),
        (Error("ERR a\r\nb"), b"-ERR a  b\r\n"),
        ([1, ["x"], []], b"*3\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n"),
    ],
)
def test_encode(reply, raw):
    assert replies.encode(reply) == raw
    assert replies.encode(reply, resp=3) == raw


def test_nil_and_doubles_differ_between_versions():
    assert replies.encode([None]) == b"*1\r\n$-1\r\n"
    assert replies.encode([None], resp=3) == b"*1\r\n_\r\n"
    for number, text in ((0, "0"), (2.0, "2"), (0.25, "0.25"), (1 / 3, "0.3333333333333333")):
        assert replies.encode(Double(number)) == f"${len(text)}\r\n{text}\r\n".encode()
        assert replies.encode(Double(number), resp=3) == f",{text}\r\n".encode()
        assert replies.to_python(Double(number)) == text


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (2.5, b"$8\r\n2.500000\r\n"),
        (math.inf, b"$3\r\ninf\r\n"),
        ("+PONG", b"+PONG\r\n"),
        ("-5", b"-5\r\n"),
        ("+", b"$1\r\n+\r\n"),
        ("-", b"$1\r\n-\r\n"),
        (bytearray(b"xy"), b"$2\r\nxy\r\n"),
        (2**70, b"$22\r\n1180591620717411303424\r\n"),
        (None, b"$9\r\nPY RECORD\r\n"),
        ((1, 2), b"$9\r\nPY RECORD\r\n"),
        (HTTPStatus.OK, b":200\r\n"),
        ([1, [b"a"]], b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n"),
    ],
)
def test_result_of_a_function(value, raw):
    assert replies.encode(replies.from_value(value)) == raw


def test_what_execute_returns():
    reply = [SimpleString("OK"), b"t\xc3\xa9", b"\xff\x00", 3, None, Error("ERR x")]
    assert replies.to_python(reply) == ["OK", "té", bytearray(b"\xff\x00"), 3, None, "ERR x"]


def test_execute_raises_on_an_error():
    with pytest.raises(CommandError, match="execution is not registered"):
        replies.to_python(Error("execution is not registered"))


def test_values_that_no_client_could_read():
    endless: list[object] = []
    endless.append(endless)
    raw = replies.encode(replies.from_value(endless))
    assert raw.startswith(b"*1\r\n*1\r\n")
    assert raw.endswith(b"PY RECORD\r\n")

    class Odd(str):
        def __getitem__(self, item):
            raise RuntimeError

    class Mute(str):
        def encode(self, *options):
            raise RuntimeError

    assert replies.from_value(Odd("xy")) == "PY RECORD"
    assert replies.encode(replies.from_value(Mute("x"))) == b"$1\r\nx\r\n"
    assert replies.encode("\ud800") == b"$6\r\n\\ud800\r\n"
    assert replies.encode("\udcff") == b"$1\r\n\xff\r\n"

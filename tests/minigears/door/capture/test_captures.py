"""Which commands are captured, and how. No socket."""

from __future__ import annotations

import pytest

from minigears.commandtable import CommandTable
from minigears.door.capture.calls import call
from minigears.door.capture.captures import Captures
from minigears.door.capture.queue import Queue
from minigears.door.commands.classifier import Classifier
from minigears.door.commands.parser import RequestParser
from minigears.door.commands.shareable import Use
from minigears.interest import Interest
from minigears.protocol import encode_command

CAPTURES = Captures({b"Movie:": Queue(), b"Movie:Old:": Queue("old", 2)})
NO_TABLE = CommandTable({})


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(
    "key", [b"Movie:1", b"Movie:", b"Movie:Old:7", b"Movie:{p03}", b"Movie:" + b"x" * 90]
)
@pytest.mark.parametrize(
    "rest", [[b"SET", b"1"], [b"json.set", b"$", b"x" * 5000], [b"DEL"], [b"SET", b"Movie:2"]]
)
def test_bytes_become_the_same_call_as_words(protocol: int, key: bytes, rest: list[bytes]) -> None:
    argv = [rest[0], key, *rest[1:]]
    raw = encode_command(argv)
    assert Classifier(NO_TABLE, Interest(), CAPTURES).shared(raw) == (Use.CAPTURED, ())
    write = CAPTURES.write(raw)
    assert write is not None
    [words] = RequestParser().feed(call(write, protocol))
    assert words == CAPTURES.rewrite(argv, NO_TABLE, protocol)
    assert words[-len(argv) :] == argv


@pytest.mark.parametrize(
    "argv", [[b"SET", b"Other:1", b"Movie:1"], [b"SET", b"k", b"x" * 500 + b"Movie:"]]
)
def test_a_key_of_somebody_else_stays_as_it_is(argv: list[bytes]) -> None:
    assert CAPTURES.write(encode_command(argv)) is None
    assert CAPTURES.rewrite(argv, NO_TABLE, 2) is argv


def test_reads_of_captured_keys_share_connections() -> None:
    classifier = Classifier(NO_TABLE, Interest(), CAPTURES)
    assert classifier.shared(encode_command([b"JSON.GET", b"Movie:1"])) == (Use.READS, ())


WRITES = [
    [b"SET", b"Movie:1", b"1"],
    [b"JSON.SET", b"Movie:2", b"$", b"x" * 500],
    [b"DEL", b"Other:1"],
]
PIPELINE = [*WRITES, [b"GET", b"Movie:1"], [b"SET", b"Other:1", b"Movie:2"], *WRITES]


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_pipeline_becomes_the_same_calls_as_its_commands(protocol: int) -> None:
    raw = Classifier(NO_TABLE, Interest(), CAPTURES).captured(packed(PIPELINE), protocol)
    assert raw is not None
    assert RequestParser().feed(raw) == [
        CAPTURES.rewrite(argv, NO_TABLE, protocol) if argv[0] != b"GET" else argv
        for argv in PIPELINE
    ]


@pytest.mark.parametrize(
    "more",
    [
        [b"SET", b"Movie:{p99}", b"1"],
        [b"EVAL", b"return 1", b"1", b"Movie:1"],
        [b"MULTI"],
        [b"SET", b"kind:1", b"1"],
    ],
)
def test_what_needs_more_than_a_call_is_looked_at_command_by_command(more: list[bytes]) -> None:
    watch = {"id": "r", "events": None, "commands": None, "mode": "sync", "prefix": "kind:*"}
    interest = Interest.from_frame({"keys": [watch], "streams": [], "hooks": []})
    classifier = Classifier(NO_TABLE, interest, CAPTURES)
    assert classifier.captured(packed(WRITES), 2)
    assert classifier.captured(packed([*WRITES, more]), 2) is None
    assert classifier.captured(packed(WRITES)[:-1], 2) is None
    assert classifier.captured(packed([[b"SET", b"Other:1", b"1"]]), 2) is None


def packed(commands: list[list[bytes]]) -> bytes:
    return b"".join(map(encode_command, commands))


def test_the_longest_prefix_says_the_queue() -> None:
    assert CAPTURES.rewrite([b"DEL", b"Movie:Old:1"], NO_TABLE, 2)[3] == b"old:config"
    assert CAPTURES.rewrite([b"DEL", b"Movie:Ol:1"], NO_TABLE, 2)[3] == b"wb:config"

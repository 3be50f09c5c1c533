"""What captured writes answer: what Redis itself does, byte by byte."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import hiredis
import pytest
from redis import Redis

from recipes.streams import WriteBehind
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import PlainRedis, has_json
from tests.recipes.streams.door.capturing import PARTITIONS, one_reply

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
COMMANDS = [
    'JSON.SET Movie:1 $ {"n":1,"a":[1,2],"o":{"n":2.5,"a":1},"s":"x","b":true}',
    'JSON.SET Movie:1 $ {"n":0} NX',
    "JSON.SET Movie:1 $.new 7",
    "JSON.SET Movie:1 $.no.such 7",
    'JSON.MERGE Movie:1 $ {"m":1}',
    "JSON.NUMINCRBY Movie:1 $.n 2",
    "JSON.NUMINCRBY Movie:1 $..n 0.25",
    "JSON.NUMINCRBY Movie:1 $..a 1",
    "JSON.NUMINCRBY Movie:1 $.none 1",
    "JSON.NUMINCRBY Movie:1 .n 2",
    "JSON.NUMINCRBY Movie:1 .s 2",
    "JSON.NUMMULTBY Movie:1 $..n 3",
    "JSON.ARRAPPEND Movie:1 $..a 3",
    "JSON.ARRAPPEND Movie:1 .a 3",
    "JSON.ARRAPPEND Movie:1 .s 3",
    "JSON.ARRINSERT Movie:1 $.a 0 9",
    "JSON.ARRTRIM Movie:1 $..a 0 2",
    "JSON.ARRPOP Movie:1 $..a",
    "JSON.ARRPOP Movie:1 .a",
    'JSON.STRAPPEND Movie:1 $.* "y"',
    "JSON.TOGGLE Movie:1 $.*",
    "JSON.TOGGLE Movie:1 .b",
    "JSON.CLEAR Movie:1 $.a",
    "JSON.GET Movie:1 $.n",
    "JSON.DEL Movie:1 $.none",
    "JSON.DEL Movie:1 $.n",
    "JSON.NUMINCRBY Movie:1",
    "JSON.SET Movie:1",
    "SET Movie:1",
    "JSON.NUMINCRBY Movie:none $.n 1",
    "EXPIRE Movie:1 1000",
    "PERSIST Movie:1",
    "RENAME Movie:1 Movie:2",
    "RENAME Movie:1 Movie:2",
    'SET Movie:2 {"t":1}',
    "GET Movie:2",
    'SET Movie:2 {"t":2} NX',
    'SET Movie:2 {"t":3} GET',
    'GETSET Movie:2 {"t":4}',
    "JSON.MERGE Movie:2 $ {}",
    "GETDEL Movie:2",
    "GETDEL Movie:2",
    'JSON.MSET Movie:3 $ {"a":1} Other:3 $ {"a":2}',
    "DEL Movie:3 Other:3 Movie:4",
    "UNLINK Movie:3",
    "MULTI",
    'JSON.SET Movie:5 $ {"n":1}',
    "JSON.NUMINCRBY Movie:5 $.n 1",
    "JSON.ARRPOP Movie:5 $.n",
    "EXEC",
    "MULTI",
    'JSON.SET Movie:5 $ {"n":9}',
    "SET Movie:5",
    "EXEC",
    "MULTI",
    "DEL Movie:5",
    "DISCARD",
    "EXPIRE Movie:5 -1",
]


def replies(place: object, protocol: int, commands: list[str], pieces: int) -> list[bytes]:
    """What a server answers to each command, byte by byte."""
    unix = isinstance(place, str)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as sock:
        sock.settimeout(60)
        sock.connect(place)  # type: ignore[arg-type]
        stream = sock.makefile("rb")
        words = [line.split() for line in commands]
        packed = [hiredis.pack_command(tuple(w.encode() for w in argv)) for argv in words]
        sock.sendall(hiredis.pack_command((b"HELLO", str(protocol).encode())))
        one_reply(stream)
        answers = []
        for at in range(0, len(packed), pieces):
            sock.sendall(b"".join(packed[at : at + pieces]))
            answers += [one_reply(stream) for _ in packed[at : at + pieces]]
    return answers


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("pieces", [1, 1000])
def test_replies_are_those_of_redis_byte_for_byte(
    client: Redis, door: MiniGears, tmp_path: Path, protocol: int, pieces: int
) -> None:
    client.delete("Movie:1")  # only so that something was captured already
    door.server.client().flushall()
    WriteBehind(door.server.client(), PARTITIONS).prepare()
    plain = PlainRedis(tmp_path)
    plain.start()
    try:
        # Ten entries may wait in the queue of this door, so the stream is emptied now and then.
        theirs, ours = [], []
        for part in parts(COMMANDS):
            theirs += replies(str(plain.socket), protocol, part, pieces)
            ours += replies(("127.0.0.1", door.port), protocol, part, pieces)
            for partition in PARTITIONS.all():
                door.server.client().xtrim(partition.stream, 0)
    finally:
        plain.stop(signal.SIGKILL)
    assert list(zip(COMMANDS, ours, strict=True)) == list(zip(COMMANDS, theirs, strict=True))


GREETINGS = [
    "HELLO 4;{}",
    "HELLO 3 AUTH nobody wrong;{}",
    "HELLO 3 SETNAME;{}",
    "HELLO 3;{};HELLO 2;{};HELLO 3;{};HELLO 4;{};RESET;{}",
    "MULTI;HELLO 3;EXEC;{}",
    "MULTI;HELLO 3;{};EXEC;{}",
    "MULTI;{};HELLO 3;{};HELLO 2;{};EXEC;{}",
    "MULTI;HELLO 4;{};HELLO 3 SETNAME x;{};EXEC;{}",
    "HELLO 3;MULTI;HELLO 2;{};EXEC;{}",
    "MULTI;HELLO 3;DISCARD;{}",
    "MULTI;{};HELLO 3;EXEC;{}",
    "MULTI;HELLO 4;EXEC;{}",
    "MULTI;HELLO 3;RESET;{}",
    "HELLO 3;MULTI;{};RESET;{}",
    "GET x;HELLO 3;{};GET x",
]


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_captured_write_is_answered_in_the_resp_that_redis_has_agreed_to(
    client: Redis, door: MiniGears, greeting: str, pieces: int
) -> None:
    """And in no other, if it refuses `HELLO`: beside a key that is not captured."""
    redis = door.server.client()
    lines = {}
    for key in ("Movie:1", "Other:1"):
        redis.execute_command("JSON.SET", key, "$", '{"n":1}')
        commands = greeting.replace("{}", f"JSON.NUMINCRBY {key} $.n 1").split(";")
        answers = replies(("127.0.0.1", door.port), 2, commands, pieces)
        lines[key] = [a for c, a in zip(commands, answers, strict=True) if c[:5] != "HELLO"]
        lines[key] = [re.sub(rb":\d+", b":", line) for line in lines[key]]
    assert lines["Movie:1"] == lines["Other:1"]


def parts(commands: list[str]) -> Iterator[list[str]]:
    """Few commands at a time, transactions whole."""
    part: list[str] = []
    for command in commands:
        part.append(command)
        inside = "MULTI" in part and part[-1] not in ("EXEC", "DISCARD")
        if len(part) >= 4 and not inside:
            yield part
            part = []
    yield part

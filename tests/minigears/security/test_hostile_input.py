"""Bytes that make no sense end in an error or a closed connection, and harm nobody else."""

import contextlib
import socket

import psutil
import pytest

from minigears.door.commands.parser import RequestParser
from minigears.protocol import ProtocolError, encode_command
from tests.minigears.realgears import descriptors
from tests.minigears.realredis import wait_for
from tests.minigears.security.hostile import Hostile

SHORT, LONG = 20_000, 1_000_000
MEMORY = 64 << 20  # bytes that the door may have grown by after a bombardment


def parse(parts) -> tuple[list, bytes, bool]:
    """Commands, the raw bytes to relay, and whether the parser took offence."""
    parser = RequestParser()
    commands, raw = [], b""
    try:
        for part in parts:
            commands += parser.feed(part)
            raw += parser.raw
    except ProtocolError:
        return commands, raw, True
    return commands, raw, False


def bombard_parser(inputs: int, seed: int) -> int:
    """Returns how many inputs the parser refused; anything else than a refusal fails the test."""
    hostile = Hostile(seed)
    refused = 0
    for _ in range(inputs):
        data = hostile.input()
        commands, _, offended = parse(hostile.cut(data))
        refused += offended
        for command in commands:
            assert command, data
            assert all(type(word) is bytes for word in command), data
    return refused


@pytest.mark.parametrize(
    "inputs", [SHORT, pytest.param(LONG, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_the_parser_takes_or_refuses_everything(inputs):
    bombard_parser(1000, seed=0)  # what is set up once is no growth
    memory = psutil.Process().memory_info
    before = memory().rss
    refused = bombard_parser(inputs, seed=1)
    assert inputs // 10 < refused < inputs
    assert memory().rss < before + MEMORY


def test_what_the_parser_takes_it_takes_the_same_however_it_is_cut():
    hostile = Hostile(2)
    for _ in range(3000):
        commands = [[b"SET", data, b"x"] for data in hostile.cut(hostile.input())]
        wire = b"".join(map(encode_command, commands))
        assert parse(hostile.cut(wire)) == (commands, wire, False)


@pytest.mark.parametrize(
    "data",
    [
        b"*1000000000\r\n",
        b"*1048577\r\n$4\r\nPING\r\n",
        b"*1\r\n$-5\r\n",
        b"*1\r\n$99999999999999999999\r\n",
        b"*1\r\n" * 100_000,
        b"*2\r\n$1\r\na\r\n" + b"*1\r\n" * 100_000,
        b"*1\r\n*1\r\n$4\r\nPING\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n%1\r\n+a\r\n+b\r\n",
        b"x" * 70_000,
        b"SET 'k\r\n",
    ],
)
def test_an_error_and_a_closed_connection(gears, data):
    with gears.raw() as sock:
        sock.sendall(data)
        with sock.makefile("rb") as stream:
            assert stream.readline().startswith(b"-ERR Protocol error")
            with contextlib.suppress(ConnectionResetError):
                assert stream.read() == b""


def test_many_inline_commands_at_once(gears):
    with gears.raw() as sock:
        sock.sendall(b"PING\r\n" * 20_000)
        with sock.makefile("rb") as stream:
            assert all(stream.readline() == b"+PONG\r\n" for _ in range(20_000))


def bombard_door(gears, inputs: int, seed: int) -> None:
    """Each input on a connection of its own, which is closed with whatever is left to say."""
    hostile = Hostile(seed)
    for _ in range(inputs):
        with gears.raw() as sock:
            with contextlib.suppress(ConnectionError):
                for part in hostile.cut(hostile.input()):
                    sock.sendall(part)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    "inputs", [300, pytest.param(SHORT, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
@pytest.mark.parametrize("registered", [False, True])
def test_the_door_serves_others_and_keeps_nothing(gears, inputs, registered):
    if registered:
        gears.run("GB('KeysReader').foreach(lambda x: None).register(prefix='k:*', mode='sync')")
    door = psutil.Process(gears.process.pid)
    bombard_door(gears, 200, seed=3)
    with gears.client() as client:
        client.ping()
        open_before, memory_before = descriptors(door), door.memory_info().rss
        bombard_door(gears, inputs, seed=4)
        assert client.set("k:other", 1)
        assert client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').run()") == [["1"], []]
        wait_for(lambda: descriptors(door) <= open_before, what="closed connections")
    assert door.memory_info().rss < memory_before + MEMORY
    assert "Traceback" not in gears.log, gears.log[-3000:]

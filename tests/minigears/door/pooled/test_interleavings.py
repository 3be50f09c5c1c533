"""Two clients that share connections, or stop sharing, say anything in any rhythm: Redis's own bytes come back.

What they say is cut into parts with pauses between them, long enough for a reply or not: so commands
meet the replies to earlier ones on every way that the door has for them.
"""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from minigears.door.pooled.guest import FEW
from minigears.protocol import encode_command
from tests.minigears.door.pooled.farredis import FarRedis
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer

REGISTER = (
    "GB().foreach(lambda x: execute('INCR', 'runs'))"
    ".register(prefix='k:*', mode='sync', readValue=False)"
)
PLAIN = """
SET a V|SET a V|GET a|GET a|INCR n|INCR n|DEL a|HSET h f V|LPUSH l V|APPEND a V|TYPE a|STRLEN a|INCR a
MGET a n|LRANGE l 0 -1|HGETALL h|SELECT 0|SELECT 1|PING|ECHO V|CLIENT GETNAME|EXISTS a n|FOO V|GET|WAIT 0 0
HELLO 2|HELLO 3|HELLO 9|CLIENT SETNAME x|CLIENT SETNAME|CLIENT SETINFO LIB-NAME y
SET k: V|INCR k:|DEL k:|SETRANGE a 9 V
"""
CALM = """
SET a V|GET a|INCR n|DEL a|HELLO 2|HELLO 3|CLIENT SETNAME x|CLIENT SETINFO LIB-NAME y|MGET a n
SET k: V|SET k: V|INCR k:|DEL k:
"""
"""Nearly all of these leave a client on shared connections."""
GROUPS = {
    "calm": "",
    "transactions": "MULTI|MULTI|EXEC|EXEC|DISCARD|WATCH a|UNWATCH|RESET|MULTI x",
    "messages": "SUBSCRIBE c|UNSUBSCRIBE c|UNSUBSCRIBE|PUBLISH c V|PSUBSCRIBE c*|PUNSUBSCRIBE|RESET",
    "silence": "CLIENT REPLY OFF|CLIENT REPLY ON|CLIENT REPLY ON|CLIENT REPLY SKIP|CLIENT REPLY x|RESET",
    "gears": "COMMAND INFO get|CONFIG SET notify-keyspace-events KEA|INFO nosuch|FUNCTION FLUSH x",
}
OWN = {"a", "n", "h", "l", "c", "k:", "c*"}
VALUES = [b"", b"1", b"-ERR\r\n", b"+OK\r\n", b"x" * 120, b"y" * 20_000]
PAUSES = [0.0, 0.0003, 0.0003, 0.002, 0.01]  # seconds; a reply takes three milliseconds
ANSWERED = -1.0
"""In place of a pause: wait for the reply."""

Part = tuple[int, bytes, float]
"""Which client, what it sends, and the pause after that."""


@st.composite
def commands(draw: st.DrawFn, who: int, group: str) -> bytes:
    """One command of a client, in RESP or inline, about keys that are its own."""
    shapes = (CALM if group == "calm" else f"{PLAIN}|{GROUPS[group]}").replace("\n", "|").split("|")
    shape = draw(st.sampled_from([shape for shape in shapes if shape])).split()
    words = [_word(draw, word, who) for word in shape]
    plain = all(re.fullmatch(rb"[\w:*-]{1,99}", word) for word in words)
    if plain and draw(st.integers(0, 4)) == 0:
        return b" ".join(words) + b"\r\n"
    return encode_command(words)


def _word(draw: st.DrawFn, word: str, who: int) -> bytes:
    if word == "V":
        return draw(st.sampled_from(VALUES))
    if word == "k:":
        return b"k:%d" % who
    return (f"{who}{word}" if word in OWN else word).encode()


@st.composite
def conversations(draw: st.DrawFn) -> list[Part]:
    """Parts of what two clients say, whole commands and pieces of them."""
    parts: list[Part] = []
    group = draw(st.sampled_from(["calm", "calm", *sorted(GROUPS)]))
    most = 1 if group == "calm" else 3  # commands in one piece
    if group == "calm":  # both have written on a shared connection
        parts += [(who, encode_command(["SET", f"{who}a", "1"]), ANSWERED) for who in range(2)]
    for _ in range(draw(st.integers(1, 14))):
        who = draw(st.integers(0, 1))
        data = b"".join(draw(st.lists(commands(who, group), min_size=1, max_size=most)))
        cut = draw(st.integers(0, len(data))) if draw(st.integers(0, 3)) == 0 else 0
        for piece in (data[:cut], data[cut:]):
            if piece:
                parts.append((who, piece, draw(st.sampled_from(PAUSES))))
    return parts


def replies(connect: Callable[[], socket.socket], parts: list[Part]) -> list[bytes]:
    """What each client hears until it is closed, as it says no more."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect()) for _ in range(2)]
        heard = [b"", b""]
        for client in clients:
            client.settimeout(60)
        for who, data, pause in parts:
            clients[who].sendall(data)
            if pause == ANSWERED:
                heard[who] += clients[who].recv(1 << 16)
            elif pause:
                time.sleep(pause)
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        return [start + _all(client) for start, client in zip(heard, clients, strict=True)]


def _all(client: socket.socket) -> bytes:
    heard = []
    while chunk := client.recv(1 << 16):
        heard.append(chunk)
    return re.sub(rb"id\r\n:\d+\r\n", b"id\r\n:0\r\n", b"".join(heard))  # in the reply to HELLO


@pytest.fixture(scope="module")
def far_gears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    """A minigears that waits three milliseconds for each reply of its Redis."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "", "--appendonly", "no")
    server.start()
    with FarRedis(server.socket, tmp_path_factory.mktemp("far") / "s", 0.003) as far:
        gears = MiniGears(
            server, tmp_path_factory.mktemp("gears"), "--redis", f"unix://{far.socket}"
        )
        gears.start()
        gears.run(REGISTER)
        yield gears
        assert gears.stop() == 0
    server.stop(signal.SIGKILL)


@pytest.fixture
def crowd(far_gears: MiniGears) -> Iterator[MiniGears]:
    """Enough clients beside the two that connections are shared."""
    gears = far_gears
    with ExitStack() as stack:
        for _ in range(FEW):
            stack.enter_context(gears.client()).dbsize()
        yield gears


def compare(gears: MiniGears, parts: list[Part]) -> None:
    with closing(gears.server.connect()) as admin:
        admin.call("FLUSHALL")
        expected = replies(lambda: direct(gears), parts)
        admin.call("FLUSHALL")
        assert replies(lambda: front(gears), parts) == expected


def direct(gears: MiniGears) -> socket.socket:
    """A client of Redis itself."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(gears.server.socket))
    return client


def front(gears: MiniGears) -> socket.socket:
    """A client of minigears, whose pauses are as long as they are said to be."""
    client = socket.create_connection(("127.0.0.1", gears.port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


EXAMPLES = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@EXAMPLES
@given(parts=conversations())
def test_the_same_bytes_come_back(crowd: MiniGears, parts: list[Part]) -> None:
    compare(crowd, parts)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(EXAMPLES, max_examples=1000)
@given(parts=conversations())
def test_the_same_bytes_come_back_from_many(crowd: MiniGears, parts: list[Part]) -> None:
    compare(crowd, parts)


SWAPPED = [["HELLO", "3"], ["CLIENT", "SETNAME", "x"], ["CLIENT", "SETINFO", "LIB-NAME", "y"]]


@pytest.mark.parametrize("words", SWAPPED)
def test_a_command_behind_an_introduction_gets_its_own_reply(crowd: MiniGears, words) -> None:
    """Also when the client has written on a shared connection before."""
    for pause in (0.0003, 0.001, 0.002) * 2:
        said = [encode_command(argv) for argv in (["SET", "a", "1"], words, ["GET", "a"])]
        compare(crowd, [(0, data, p) for data, p in zip(said, (ANSWERED, pause, 0.0), strict=True)])

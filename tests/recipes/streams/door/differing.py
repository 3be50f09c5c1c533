"""Commands as any application may send them, and what a server answers to each, byte by byte."""

from __future__ import annotations

import io
import random
import socket
from collections.abc import Sequence
from types import TracebackType

from tests.recipes.streams.door.capturing import one_reply

Command = list[bytes]

KEYS = [b"Movie:" + rest for rest in (b"1", b"2", b"\x00\xff\r\n", b"", b"{p01}:7", b"k" * 120)]
KEYS += [b"Movie:hash", b"Movie:list", b"Movie:empty", b"Movie:text", b"Movie:gone"]
KEYS += [b"Other:1", b"Other:2", b"Other:text", b"Other:empty", b"Movi", b""]
"""Documents, what was there before anybody captured, and keys of others."""

VALUES = [
    b'{"n":1,"a":[1,2,3],"o":{"n":2.5,"a":[]},"s":"x","b":true,"z":null}',
    b'{"a":[1,2,3],"o":{"a":[1]},"n":7,"m":{"n":1e308}}',
    b'{"n":123456789012,"s":"\xc3\xa9\\u0000","list":[{"n":1},{"n":"t"},{"n":3}]}',
    b'{"big":"' + b"x" * 20_000 + b'"}',
    *[b'[1,"two",[3],{"n":4}]', b'"text"', b"7", b"null", b" { } "],
]
NO_JSON = [b"", b"{", b"text", b"\x00\xff", b"[1,]"]
PATHS = b"$ . $.n .n $..n $..a .a $.* $.none $.no.such $.a[0] $.s $..s $.list[*].n $[".split()
PATHS += [b"", b"a\r\nb"]
NUMBERS = b"1 -3 0.5 1e308 99999999999999999999 x".split()
INDEXES = b"0 1 -1 3 99".split()
KINDS = {b"K": KEYS, b"V": VALUES, b"B": NO_JSON, b"P": PATHS, b"N": NUMBERS, b"I": INDEXES}

SHAPES = """
JSON.SET K $ V|JSON.SET K P V|JSON.SET K P V NX|JSON.SET K $ V XX|JSON.SET K P B|JSON.SET K|JSON.SET K $ V FOO
JSON.MERGE K P V|JSON.MERGE K $ {"n":null}|JSON.MSET K $ V K P V|JSON.MSET K P V K $ B|JSON.NUMINCRBY K P N
JSON.NUMINCRBY K $..n 1e308|JSON.NUMMULTBY K P N|JSON.NUMMULTBY K ..n 1e200|JSON.ARRAPPEND K P V V
JSON.ARRINSERT K P I V|JSON.ARRINSERT K $..a I V|JSON.ARRPOP K P|JSON.ARRPOP K P I|JSON.ARRPOP K|JSON.ARRTRIM K P I I
JSON.STRAPPEND K P "t"|JSON.STRAPPEND K "t"|JSON.TOGGLE K P|JSON.CLEAR K P|JSON.CLEAR K|JSON.DEL K P|JSON.DEL K
JSON.FORGET K P|JSON.GET K P|SET K V|set K V|SET K B|SET K V XX GET|SET K V NX|SET K V EX 100|SET K V PXAT 1
SET K V KEEPTTL|SET K V EX 0|SET K V GET|SETNX K V|GETSET K V|SETEX K 100 V|SETEX K 0 V|PSETEX K 100000 V
MSET K V K V|MSET K V K|MSETNX K V K V|MSET K B K V|GET K|GETDEL K|GETEX K|GETEX K EX 100|GETEX K PXAT 1
GETEX K PERSIST|DEL K|DEL K K K|UNLINK K K|EXISTS K K|RENAME K K|RENAME K K|RENAMENX K K|EXPIRE K 100|EXPIRE K -1
EXPIRE K 100 XX|PEXPIREAT K 1|PERSIST K|TYPE K|STRLEN K|INCR K|APPEND K V|SETRANGE K 1 x|HSET K f v|HGET K f|HDEL K f
LPUSH K v|LPOP K|SADD K m|ZADD K 1 m|COPY K K|COPY K K REPLACE|SORT K ALPHA STORE K|LMOVE K K LEFT LEFT
BLPOP K K 0.001|SUNIONSTORE K K|RESTORE K 0 bad|MOVE K 1|XADD K 1-1 f v|PFADD K v|EVAL script 1 K V|EVAL reads 2 K K
EVAL several 2 K K V|EVAL fails 1 K V|EVAL kinds 1 K|EVALSHA abc 1 K|EVAL x 9 K|EVAL script -1 K|EVAL_RO reads 2 K K
FCALL none 1 K|TOUCH K|OBJECT ENCODING K|WATCH|WATCH K|UNWATCH|UNWATCH x|PING|ECHO V
"""
"""Of commands: K, V and so on stand for a word of a kind, and others for scripts."""

SCRIPTS = {
    b"script": b"return redis.call('SET', KEYS[1], ARGV[1])",
    b"reads": b"return {redis.call('TYPE', KEYS[1]), redis.call('EXISTS', KEYS[2])}",
    b"several": b"redis.call('SET', KEYS[1], ARGV[1]) redis.call('DEL', KEYS[2]) return redis.call('EXISTS', KEYS[1])",
    b"fails": b"redis.call('SET', KEYS[1], ARGV[1]) return redis.call('LPUSH', KEYS[1], 'x')",
    b"kinds": b"return {1, 'two', false, {3, {4}}, redis.status_reply('five'), {double=6.5}, {err='E seven'}}",
}
_SHAPES = [shape for line in SHAPES.split("\n") for shape in line.split("|") if shape]


def command(choose: random.Random) -> Command:
    """Any one."""
    words = choose.choice(_SHAPES).encode().split()
    return [choose.choice(KINDS[w]) if w in KINDS else SCRIPTS.get(w, w) for w in words]


def batch(choose: random.Random) -> list[Command]:
    """What a client sends before it waits: one command, a pipeline, or a transaction."""
    said = [command(choose) for _ in range(choose.choice([1, 1, 1, 2, 5, 20]))]
    if choose.random() < 0.2:
        said = [[b"MULTI"], *said, [choose.choice([b"EXEC", b"EXEC", b"EXEC", b"DISCARD"])]]
    return said


def pieces(choose: random.Random, said: list[Command]) -> list[bytes]:
    """The commands as they are sent: as arrays or inline, cut anywhere."""
    raw = b"".join(_inline(w) if choose.random() < 0.1 else packed(w) for w in said)
    cuts = sorted(choose.randrange(len(raw)) for _ in range(choose.choice([0, 0, 1, 3])))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


def packed(words: Command) -> bytes:
    """A command as an array."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def _inline(words: Command) -> bytes:
    """A command inline, all of it escaped, if it is not too long for that."""
    if sum(map(len, words)) > 1000:
        return packed(words)
    escaped = (b"".join(b"\\x%02x" % byte for byte in word) for word in words)
    return b" ".join(b'"%b"' % word for word in escaped) + b"\r\n"


class Line:
    """A connection to a server, that speaks a RESP version."""

    def __init__(self, place: str | tuple[str, int], protocol: int):
        self._sock = socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET)
        self._sock.settimeout(120)
        self._sock.connect(place)
        self._stream = self._sock.makefile("rb")
        self.say([b"HELLO %d\r\n" % protocol], 1)

    def say(self, parts: Sequence[bytes], count: int) -> list[bytes]:
        """Send parts, each for itself; the replies to that many commands."""
        for part in parts:
            self._sock.sendall(part)
        return [one_reply(self._stream) for _ in range(count)]

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._sock.close()


def elements(reply: bytes) -> list[bytes]:
    """The replies in an array."""
    stream = io.BytesIO(reply)
    count = int(stream.readline()[1:])
    return [one_reply(stream) for _ in range(max(count, 0))]

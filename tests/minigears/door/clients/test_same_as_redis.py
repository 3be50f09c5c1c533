"""The same commands at Redis and at minigears, cut into pieces anywhere: the same bytes come back."""

import random
import socket

import pytest
import redis

from tests.minigears.realgears import MiniGears

REGISTER = """
def count(x):
    execute('INCR', 'n:' + x['key'])
GB('KeysReader').foreach(count).register(prefix='k:*', mode='sync', readValue=False)
GB('KeysReader').foreach(lambda x: None).register(prefix='a:*', mode='async')
GB('KeysReader').foreach(lambda x: None).register(prefix='c:*', mode='sync', commands=['set', 'del'])
GB('KeysReader').foreach(lambda x: None).register(prefix='*', mode='sync', eventTypes=['keymiss'])
"""
SHAPES = """
SET K V|SET K V XX GET|SET K V EX 100 KEEPTTL|SET K V PX 100000 NX|GET K|GETEX K EX 0|GETDEL K|INCR K|APPEND K V|DEL K K
EXISTS K|TYPE K|SETRANGE K 3 V|MSET K V K V|MGET K K|MSETNX K V K V|RPUSH K V V|LPOP K|LRANGE K 0 -1|LMOVE K K LEFT LEFT
BLPOP K K 0.001|HSET K f 1 g 2|HGETALL K|HDEL K f|SADD K m|SREM K m|ZADD K 1 m|ZADD K 1.5 m NX|ZRANGE K 0 -1 WITHSCORES
ZRANGESTORE K K 0 -1|COPY K K REPLACE|COPY K K DB 1|RENAME K K|RENAMENX K K|MOVE K 1|SORT K ALPHA STORE K|EXPIRE K 1000
PEXPIRE K 0|PERSIST K|SELECT 0|SELECT 1|SELECT 99|MULTI|EXEC|DISCARD|WATCH K|UNWATCH|MULTI x|EXEC x|RESET|RESET x|PING
PING V|ECHO V|FOO V|SET K|GET|CLIENT SETNAME n|CLIENT GETNAME|CLIENT CACHING YES|CLIENT NO-TOUCH off|CONFIG RESETSTAT
AUTH x|EVAL script 1 K V|EVALSHA abc 1 K|EVAL fails 0|XADD K 1-1 f V|XLEN K|XRANGE K - +|OBJECT ENCODING K
SCRIPT FLUSH|WAIT 0 0|COMMAND INFO nosuch|SUBSCRIBE V|UNSUBSCRIBE V|PUBLISH V V|PSUBSCRIBE V|PUNSUBSCRIBE V
DUMP K|RESTORE K 0 bad|PFADD K V
"""
KEYS = [b"k:1", b"k:2", b"k:\x00", b"a:1", b"a:\xff", b"c:1", b"x", b""]
VALUES = [b"", b"1", b"v", b"\r\n", b"+OK\r\n$-1\r\n\xff", b"x" * 200, b"x" * 70_000]
WORDS = {
    b"script": b"redis.call('SET', KEYS[1], ARGV[1]) return {1, redis.call('GET', KEYS[1])}",
    b"fails": b"return redis.error_reply('E x')",
}


def command(choose: random.Random) -> list[bytes]:
    shape = choose.choice(SHAPES.replace("\n", "|").strip("|").split("|")).encode().split()
    choices = {b"K": KEYS, b"V": VALUES}
    return [choose.choice(choices[w]) if w in choices else WORDS.get(w, w) for w in shape]


def encode(choose: random.Random, words: list[bytes]) -> bytes:
    plain = all(word.isalnum() and len(word) < 100 for word in words)
    if plain and choose.random() < 0.5:
        return b" ".join(words) + b"\r\n"
    bulks = (b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n%b" % (len(words), b"".join(bulks))


def answers(sock: socket.socket, pieces: list[bytes], end: bytes) -> bytes:
    """What comes back up to `end`, which the last command echoes."""
    got = b""
    for piece in pieces:
        sock.sendall(piece)
    while not got.endswith(b"\r\n%b\r\n" % end):
        chunk = sock.recv(1 << 20)
        assert chunk, got[-500:]
        got += chunk
    return got


def contents(client) -> dict:
    """Every key of both databases that no function wrote."""
    found = {}
    for database in (1, 0):
        client.select(database)
        keys = [key for key in client.keys("*") if not key.startswith(b"n:")]
        found |= {(database, key): client.dump(key) for key in keys}
    return found


@pytest.mark.parametrize("seed", range(4))
def test_any_commands_get_the_replies_of_redis(redis_server, gears: MiniGears, seed):
    gears.run(REGISTER)
    choose = random.Random(seed)
    direct = redis.Redis(unix_socket_path=str(redis_server.socket))
    with socket.socket(socket.AF_UNIX) as plain, gears.raw() as front:
        plain.connect(str(redis_server.socket))
        for number in range(40):
            said = [command(choose) for _ in range(choose.choice([1, 2, 5, 20]))]
            end = b"end-%d" % number
            stream = b"".join(
                encode(choose, words) for words in [*said, [b"RESET"], [b"ECHO", end]]
            )
            cuts = sorted(choose.randrange(len(stream)) for _ in range(choose.choice([0, 1, 4])))
            pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
            assert answers(front, pieces, end) == answers(plain, pieces, end), said
    with direct, gears.client(decode_responses=False) as client:
        found = contents(client)
        assert found == contents(direct)
        written = [key for database, key in found if not database and key.startswith(b"k:")]
        assert [key for key in written if not client.exists(b"n:" + key)] == []

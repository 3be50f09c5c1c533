"""Whatever clients do, they get what Redis itself would have given them."""

import concurrent.futures
import socket

import pytest
import redis

from tests.minigears.realgears import MiniGears


@pytest.mark.parametrize("protocol", [2, 3])
def test_types_of_replies(gears_either_way, protocol):
    with gears_either_way.client(protocol=protocol) as client:
        client.hset("k:h", mapping={"a": 1, "b": 2})
        client.zadd("k:z", {"m": 1.5})
        assert client.hgetall("k:h") == {"a": "1", "b": "2"}
        assert client.zscore("k:z", "m") == 1.5
        assert client.get("k:none") is None
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.incr("k:h")
        assert client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').run()") == [["1"], []]


def test_large_values(gears_either_way):
    value = b"x" * (64 << 20)
    with gears_either_way.client(decode_responses=False) as client:
        assert client.set("k:large", value)
        assert client.get("k:large") == value


RECORD = """
GB('KeysReader').foreach(lambda x: execute('SET', 'copy', x['value'])).register(prefix='k:*', mode='sync')
GB('CommandReader').map(lambda x: x[1]).register(trigger='echo', mode='{mode}', convertToStr=False)
"""


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_large_values_in_functions(gears, mode):
    """As a record, as a trigger's argument, as a result."""
    value = b"x" * (64 << 20)
    gears.run(RECORD.format(mode=mode))
    with gears.client(decode_responses=False) as client:
        client.set("k:large", value)
        assert client.get("copy") == value
        assert client.execute_command("RG.TRIGGER", "echo", value) == [value]
        (got,), errors = client.execute_command(
            "RG.PYEXECUTE", "GB().map(lambda x: x['value']).run('copy')"
        )
        assert (got, errors) == (value, [])


def test_blocking_commands_do_not_hold_up_what_came_before(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        sock.sendall(b"SET k:1 1\r\nBLPOP k:list 0\r\n")
        assert sock.recv(100) == b"+OK\r\n"
        other.rpush("k:list", "v")
        assert sock.recv(100) == b"*2\r\n$6\r\nk:list\r\n$1\r\nv\r\n"


@pytest.mark.parametrize("before", ["SUBSCRIBE c", "MULTI", "MONITOR", "SELECT 3", "HELLO 3"])
def test_reset(gears_either_way, before):
    """The connection is as new."""
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(f"SET k:0 0\r\n{before}\r\nRESET\r\n".encode())
        while stream.readline() != b"+RESET\r\n":
            pass
        sock.sendall(b"SET k:1 1\r\nHGETALL k:none\r\nECHO end\r\n")
        replies = [stream.readline() for _ in range(4)]
        assert replies == [b"+OK\r\n", b"*0\r\n", b"$3\r\n", b"end\r\n"]
        assert other.get("k:1") == "1"


def test_client_reply_off_and_skip(gears_either_way):
    with gears_either_way.raw() as sock:
        stream = sock.makefile("rb")
        sock.sendall(
            b"CLIENT REPLY OFF\r\nSET k:1 1\r\nSET k:2 2\r\nCLIENT REPLY ON\r\nGET k:2\r\n"
        )
        assert [stream.readline() for _ in range(3)] == [b"+OK\r\n", b"$1\r\n", b"2\r\n"]
        sock.sendall(b"CLIENT REPLY SKIP\r\nSET k:3 3\r\nGET k:3\r\n")
        assert [stream.readline() for _ in range(2)] == [b"$1\r\n", b"3\r\n"]


REPLY = {
    "SKIP;CLIENT REPLY ON;PING": b"+OK\r\n+PONG\r\n",
    "SKIP;CLIENT REPLY SKIP;PING": b"",
    "SKIP;CLIENT REPLY OFF;PING": b"",
    "OFF;CLIENT REPLY SKIP;CLIENT REPLY ON;PING": b"+OK\r\n+PONG\r\n",
    "OFF;RESET;PING": b"+RESET\r\n+PONG\r\n",
    "OFF;AUTH default x;PING": b"",
    "SKIP;MULTI;SET k:1 1;EXEC": b"+QUEUED\r\n*1\r\n+OK\r\n",
    "SKIP;SUBSCRIBE c": b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    "SKIP;RG.PYEXECUTE \"execute('SET','ran','yes')\";GET ran": b"$3\r\nyes\r\n",
    "SKIP;SET k:1 v": b"",
}


@pytest.mark.parametrize("words", REPLY)
def test_client_reply_and_what_follows(gears_either_way, words):
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"CLIENT REPLY {words};".replace(";", "\r\n").encode())
        sock.shutdown(socket.SHUT_WR)
        assert stream.read() == REPLY[words]


def test_other_databases(gears_either_way):
    with gears_either_way.client(db=3) as client:
        client.set("k:1", "three")
        assert client.get("k:1") == "three"
    with gears_either_way.client() as client:
        assert client.get("k:1") is None


@pytest.mark.parametrize(
    "before",
    [
        "MULTI x",
        "MULTI\r\nSET k:0 0\r\nRESET",
        "MULTI\r\nSUBSCRIBE c\r\nEXEC\r\nUNSUBSCRIBE c",
        "MULTI\r\nMONITOR\r\nEXEC",
        "CLIENT REPLY OFF\r\nRESET",
    ],
)
@pytest.mark.parametrize("registered", ["first", "later"])
def test_writes_wait_for_their_functions_after(gears: MiniGears, before, registered):
    """Whatever state the connection was in."""
    script = "GB().foreach(lambda x: execute('INCR', 'count')).register(prefix='k:*', mode='sync')"
    if registered == "first":
        gears.run(script)
    with gears.raw() as sock, sock.makefile("rb") as stream, gears.client() as other:
        sock.sendall(f"{before}\r\nECHO end\r\n".encode())
        while stream.readline() != b"end\r\n":
            pass
        if registered == "later":
            gears.run(script)
        sock.sendall(b"SET k:1 1\r\n")
        assert stream.readline() == b"+OK\r\n"
        assert other.get("count") == "1"


def test_a_thousand_clients_at_once(gears_either_way):
    clients = [gears_either_way.client() for _ in range(1000)]
    try:
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda i: clients[i].set(f"k:{i}", i), range(1000)))
            values = list(pool.map(lambda i: clients[i].get(f"k:{i}"), range(1000)))
        assert values == [str(i) for i in range(1000)]
    finally:
        for client in clients:
            client.close()


def test_gears_commands_inside_multi_fail_in_exec(gears_either_way):
    with gears_either_way.client() as client, client.pipeline() as pipe:
        pipe.execute_command("RG.PYEXECUTE", "GB().run()")
        with pytest.raises(redis.ResponseError, match="Can not run gears inside a multi"):
            pipe.execute()

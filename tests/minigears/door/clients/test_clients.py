"""Whatever clients do, they get what Redis itself would have given them."""

import concurrent.futures
import socket

import psutil
import pytest
import redis
from realgears import MiniGears, descriptors
from realredis import wait_for

REGISTER = "GB('KeysReader').foreach(lambda x: None).register(prefix='k:*', mode='sync')"


@pytest.fixture(params=["no registration", "a registration"])
def gears_either_way(request, gears: MiniGears):
    if request.param == "a registration":
        gears.run(REGISTER)
    return gears


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


def test_what_is_sent_after_a_waiting_client_has_left_stays(gears_either_way):
    with gears_either_way.client() as client:
        with gears_either_way.raw() as sock:
            sock.sendall(b"SET k:1 1\r\nBLPOP k:list 0\r\n")
            assert sock.recv(100) == b"+OK\r\n"
            wait_for(lambda: client.info("clients")["blocked_clients"] == 1, what="BLPOP")
        wait_for(lambda: client.info("clients")["blocked_clients"] == 0, what="Redis to know")
        client.rpush("k:list", "v")
        assert client.lrange("k:list", 0, -1) == ["v"]


def test_publish_and_subscribe(gears_either_way):
    with gears_either_way.client() as client, client.pubsub() as subscriber:
        client.set("k:before", 1)
        subscriber.subscribe("news")
        assert subscriber.get_message(timeout=10)["type"] == "subscribe"
        client.publish("news", "hello")
        assert subscriber.get_message(timeout=10)["data"] == "hello"
        subscriber.unsubscribe("news")
        assert subscriber.get_message(timeout=10)["type"] == "unsubscribe"


def test_publish_by_pattern(gears_either_way):
    with gears_either_way.client() as client, client.pubsub() as subscriber:
        client.set("k:before", 1)
        subscriber.psubscribe("news.*")
        assert subscriber.get_message(timeout=10)["type"] == "psubscribe"
        client.publish("news.today", "hello")
        got = subscriber.get_message(timeout=10)
        assert (got["type"], got["pattern"], got["channel"]) == ("pmessage", "news.*", "news.today")
        subscriber.punsubscribe("news.*")
        assert subscriber.get_message(timeout=10)["type"] == "punsubscribe"


@pytest.mark.parametrize("hello", [b"HELLO 2\r\n", b"HELLO 3\r\n"])
def test_publish_in_shards(gears_either_way, hello):
    kind = b">3\r\n" if hello == b"HELLO 3\r\n" else b"*3\r\n"
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(hello + b"SET k:1 1\r\nSSUBSCRIBE s\r\nSSUBSCRIBE s\r\n")
        for _ in range(2):
            while stream.readline() != b"ssubscribe\r\n":
                pass
            assert [stream.readline() for _ in range(3)] == [b"$1\r\n", b"s\r\n", b":1\r\n"]
        assert other.execute_command("SPUBLISH", "s", "hello") == 1
        expected = kind + b"$8\r\nsmessage\r\n$1\r\ns\r\n$5\r\nhello\r\n"
        assert stream.read(len(expected)) == expected
        sock.sendall(b"SUNSUBSCRIBE s\r\n")
        expected = kind + b"$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n"
        assert stream.read(len(expected)) == expected
        sock.sendall(b"SET k:1 2\r\n")
        assert stream.readline() == b"+OK\r\n"


def test_writes_after_a_subscription_wait_for_their_functions_again(gears):
    """Messages are no replies: they must not be counted as such."""
    gears.run(
        "GB().foreach(lambda x: execute('INCR', 'count')).register(prefix='k:*', mode='sync')"
    )
    with gears.raw() as sock, gears.client() as other:
        stream = sock.makefile("rb")
        for n in range(1, 50):
            sock.sendall(b"SSUBSCRIBE a\r\nPSUBSCRIBE b c\r\n")
            while (
                b"psubscribe" not in stream.readline()
                or b"c" not in stream.readline() + stream.readline()
            ):
                pass
            assert stream.readline() == b":2\r\n"
            for _ in range(5):
                other.execute_command("SPUBLISH", "a", "x")
                other.publish("b", "x")
            sock.sendall(b"RESET\r\nSET k:1 1\r\n")
            while stream.readline() != b"+RESET\r\n":
                pass
            assert stream.readline() == b"+OK\r\n"
            assert other.get("count") == str(n)


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


def test_a_connection_that_has_written_can_subscribe_and_write_again(gears_either_way):
    with gears_either_way.raw() as sock:
        stream = sock.makefile("rb")
        sock.sendall(b"SET k:1 1\r\n")
        assert stream.readline() == b"+OK\r\n"
        sock.sendall(b"SUBSCRIBE c\r\n")
        assert [stream.readline() for _ in range(6)][2] == b"subscribe\r\n"
        sock.sendall(b"UNSUBSCRIBE c\r\n")
        assert [stream.readline() for _ in range(6)][2] == b"unsubscribe\r\n"
        sock.sendall(b"SET k:1 2\r\nGET k:1\r\n")
        assert [stream.readline() for _ in range(3)] == [b"+OK\r\n", b"$1\r\n", b"2\r\n"]


def test_client_tracking_invalidates(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"HELLO 3\r\nCLIENT TRACKING ON\r\nSET k:0 0\r\nGET k:1\r\nPING\r\n")
        while stream.readline() != b"+PONG\r\n":
            pass
        other.set("k:1", 1)
        assert stream.readline() == b">2\r\n"
        assert stream.readline() + stream.readline() == b"$10\r\ninvalidate\r\n"


def test_monitor(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"SET k:1 1\r\nMONITOR\r\n")
        assert [stream.readline() for _ in range(2)] == [b"+OK\r\n", b"+OK\r\n"]
        other.set("k:2", "seen-by-monitor")
        assert any(b"seen-by-monitor" in stream.readline() for _ in range(20))


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


def test_push_messages_come_without_replies_too(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"HELLO 3\r\nCLIENT TRACKING ON\r\nGET k:1\r\nPING\r\nCLIENT REPLY OFF\r\n")
        while stream.readline() != b"+PONG\r\n":
            pass
        other.set("k:1", 1)
        invalidated = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nk:1\r\n"
        assert stream.read(len(invalidated)) == invalidated


@pytest.mark.parametrize("bad", ["*1\r\n$x", "ECHO 'a"])
def test_what_came_before_an_error_is_answered_before_it(gears_either_way, bad):
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"SET k:1 1\r\nGET k:1\r\n{bad}\r\n".encode())
        assert stream.read().startswith(b"+OK\r\n$1\r\n1\r\n-ERR Protocol error")


def test_other_databases(gears_either_way):
    with gears_either_way.client(db=3) as client:
        client.set("k:1", "three")
        assert client.get("k:1") == "three"
    with gears_either_way.client() as client:
        assert client.get("k:1") is None


def test_quit_and_protocol_errors_close(gears_either_way):
    with gears_either_way.raw() as sock:
        sock.sendall(b"QUIT\r\n")
        assert sock.recv(100) == b"+OK\r\n"
        assert sock.recv(100) == b""
    with gears_either_way.raw() as sock:
        sock.sendall(b"*1\r\n$x\r\n")
        assert sock.recv(200).startswith(b"-ERR Protocol error")
        assert sock.recv(100) == b""


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


def test_what_a_client_keeps_by_choice_is_invalidated(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"HELLO 3\r\nCLIENT TRACKING ON OPTIN\r\nPING\r\n")
        while stream.readline() != b"+PONG\r\n":
            pass
        sock.sendall(b"CLIENT CACHING YES\r\nMULTI\r\nGET k:1\r\nEXEC\r\n")
        replies = [b"+OK\r\n", b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n", b"_\r\n"]
        assert [stream.readline() for _ in replies] == replies
        other.set("k:1", 1)
        assert stream.readline() == b">2\r\n"


@pytest.mark.parametrize("more", ["", "SET k:1 2\r\n"])
def test_all_replies_come_before_the_end_that_a_client_asks_for(gears_either_way, more):
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"SET k:0 0\r\n")
        assert stream.readline() == b"+OK\r\n"
        sock.sendall(f"SET k:1 1\r\nGET k:1\r\nQUIT\r\n{more}".encode())
        assert stream.read() == b"+OK\r\n$1\r\n1\r\n+OK\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        "GET k:0",
        "SET k:1 1\r\nGET k:0",
        "MULTI\r\nSET k:1 1\r\nEXEC\r\nGET k:0",
        "SET k:1 1\r\nCOMMAND INFO RG.TRIGGER\r\nGET k:0",
        "CLIENT REPLY SKIP",
        "SET k:1 1\r\nBLPOP k:list 0\r\nINFO",
        "",
    ],
)
def test_what_a_client_sent_before_it_said_no_more_is_answered(gears_either_way, sent):
    """`printf … | nc` closes its half at once, and reads on."""
    answered = sent.endswith("GET k:0")
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"{sent}\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        assert stream.read().endswith(b"$-1\r\n") is answered


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(gears_either_way):
    door = psutil.Process(gears_either_way.process.pid)
    before = descriptors(door)
    for _ in range(20):
        with gears_either_way.raw() as sock:
            sock.sendall(b"SET k:1 1\r\n*3\r\n$3\r\nSET\r\n$3\r\nk:2\r\n$100\r\nhalf")
    wait_for(lambda: descriptors(door) <= before, what="closed connections")
    with gears_either_way.client() as client:
        assert client.get("k:1") == "1"
        assert client.get("k:2") is None


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

"""Clients that share connections to redis-server see what they would see on one of their own."""

from __future__ import annotations

import signal
import socket
from contextlib import closing

import pytest

from minigears.door.commands.shareable import _USES
from minigears.protocol import encode_command
from tests.freeports import free_ports
from tests.minigears.door.pooled.talking import Talk, sharing
from tests.minigears.realredis import wait_for

SAMPLES = """
    SET s hello|GET s|STRLEN s|GETRANGE s 1 3|GETBIT s 7|SETBIT s 7 1|EXISTS s|TYPE s|SET s v NX|SET s v EX 100
    TTL s|PERSIST s|PTTL s|SETNX s x|SETEX s 100 v|PSETEX s 100000 v|GETSET s w|GETEX s|GETEX s EX 100|APPEND s more
    SETRANGE s 2 X|GETDEL s|INCR n|DECR n|INCRBY n 5|DECRBY n 2|INCRBYFLOAT n 1.5|UNLINK n|SET n 1|EXPIRE n 100
    PEXPIRE n 100000|EXPIREAT n 4102444800|PEXPIREAT n 4102444800000|DEL n|HSET h a 1|HSET h b 2 c 3|HSETNX h a 9
    HGET h a|HGET h none|HEXISTS h a|HLEN h|HSTRLEN h a|HINCRBY h a 4|HINCRBYFLOAT h a 0.5|HDEL h c|LPUSH l a
    RPUSH l b|LPUSHX l c|RPUSHX l d|LLEN l|LINDEX l 0|LINDEX l 99|LSET l 0 z|LREM l 0 a|LTRIM l 0 5|LPOP l|RPOP l
    SADD t a|SREM t b|SCARD t|SISMEMBER t a|SPOP t|ZADD z 1.5 a|ZINCRBY z 2 a|ZCARD z|ZSCORE z a|ZSCORE z none
    ZRANK z a|ZREVRANK z none|ZCOUNT z 0 9|ZREM z a|XADD x 5-1 f v|XLEN x|PFADD p a|GET h|PING|PING s|ECHO s
    JSON.SET j $ {"a":1}|JSON.SET j . [|JSON.GET j|JSON.GET j $.a|JSON.GET none|JSON.DEL j $.a|JSON.DEL j
"""
COMMANDS = [line.encode().split() for line in SAMPLES.replace("\n", "|").split("|") if line.strip()]
LONG = [[b"SET", b"s", b"x" * 3000], [b"GET", b"s"], [b"sEt", b"s", b"v"], [b"SET", b"s", b""]]


def test_the_samples_are_all_there_is():
    assert {(len(argv), argv[0]) for argv in COMMANDS} == set(_USES)


@pytest.mark.parametrize("hello", [(), ("HELLO", "3"), ("HELLO", "2")])
def test_replies_are_those_of_redis(gears, talk, hello):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(gears.server.socket))
        direct, client = Talk(sock), talk()
        if hello:
            direct.ask(*hello)
            assert client.ask(*hello)
            about = ("CLIENT", "SETINFO", "LIB-NAME", "test")  # an error of Redis 7.0
            assert client.ask(*about) == direct.ask(*about)
        expected = [direct.ask(*argv) for argv in COMMANDS + LONG]
        direct.ask("FLUSHALL")
        assert [client.ask(*argv) for argv in COMMANDS + LONG] == expected
        assert sharing(gears) == 1


def test_each_client_hears_its_own_reply(gears, talk):
    clients = [talk() for _ in range(50)]
    for turn in range(20):
        for number, client in enumerate(clients):
            client.say("SET", f"k{number}", f"{number}-{turn}" * (number % 7))
        assert {client.hear() for client in clients} == {b"+OK\r\n"}
        for number, client in enumerate(clients):
            client.say("GET", f"k{number}")
        for number, client in enumerate(clients):
            value = (f"{number}-{turn}" * (number % 7)).encode()
            assert client.hear() == b"$%d\r\n%b\r\n" % (len(value), value)
    assert sharing(gears) == len(clients)


@pytest.mark.parametrize(
    ("argv", "reply"),
    [
        (("SELECT", "1"), b"+OK\r\n"),
        (("MULTI",), b"+OK\r\n"),
        (("DBSIZE",), b":1\r\n"),
        (("MGET", "k"), b"*1\r\n$1\r\nv\r\n"),
        (("CLIENT", "REPLY", "ON"), b"+OK\r\n"),
        (("RG.PYEXECUTE", "1"), b"+OK\r\n"),
        (("NONSENSE",), b"-ERR unknown command 'NONSENSE', with args beginning with: \r\n"),
    ],
)
def test_another_command_goes_the_clients_own_way_and_all_that_follows(gears, talk, argv, reply):
    client = talk()
    assert client.ask("SET", "k", "v") == b"+OK\r\n"
    assert sharing(gears) == 1
    assert client.ask(*argv) == reply
    assert client.ask("GET", "k") == {"SELECT": b"$-1\r\n", "MULTI": b"+QUEUED\r\n"}.get(
        argv[0], b"$1\r\nv\r\n"
    )
    assert sharing(gears) == 0


def test_a_client_that_does_not_wait_is_answered_in_order(gears, talk):
    client = talk()
    for number in range(200):
        client.say("INCR", "n")
        client.say(*(("RG.CONFIGGET", "MaxExecutions") if number == 100 else ("GET", "n")))
    for number in range(1, 201):
        assert client.hear() == b":%d\r\n" % number
        if number == 101:
            assert client.hear().startswith(b"*1\r\n")
        else:
            assert client.hear() == b"$%d\r\n%d\r\n" % (len(str(number)), number)
    assert sharing(gears) == 0


def test_what_was_sent_before_leaving_is_carried_out(gears, talk):
    direct = gears.client()
    for number in range(30):
        with gears.raw() as sock:
            one, *more = [encode_command(["SET", f"{key}{number}", "v"]) for key in "abc"]
            sock.sendall(one)
            sock.sendall(b"".join(more))  # together: Redis, too, stops at the second reply in vain
    wait_for(lambda: direct.dbsize() == 90, what="every write")


def test_a_client_that_closes_its_sending_half_is_answered(talk):
    for count in (1, 3):
        client = talk()
        for _ in range(count):
            client.say("INCR", f"n{count}")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.stream.read() == b"".join(b":%d\r\n" % (n + 1) for n in range(count))


def test_large_values_arrive_whole_and_end_the_sharing(gears, talk):
    value = b"x" * 3_000_000
    one, other = talk(), talk()
    gears.client().set("big", value)
    one.say("GET", "big")
    assert other.ask("SET", "k", "v") == b"+OK\r\n"
    assert one.hear() == b"$3000000\r\n%b\r\n" % value
    assert sharing(gears) == 1
    assert one.ask("SET", "k", "w") == b"+OK\r\n"
    assert other.ask("SET", "big", value) == b"+OK\r\n"
    assert sharing(gears) == 0
    assert gears.client().strlen("big") == len(value)


def test_paused_writes_do_not_hold_up_reads(gears, talk):
    writer, reader = talk(), talk()
    reader.ask("GET", "k")
    direct = gears.client()
    direct.client_pause(60_000, all=False)
    writer.say("SET", "k", "v")
    wait_for(lambda: direct.info("clients")["blocked_clients"] or _paused(direct), what="the pause")
    assert reader.ask("GET", "k") == b"$-1\r\n"
    direct.client_unpause()
    assert writer.hear() == b"+OK\r\n"


def test_a_client_that_wrote_reads_while_writes_are_paused_and_ends_the_pause(gears, talk):
    client, other = talk(), talk()
    for one in (client, other):
        assert one.ask("SET", "k", "v") == b"+OK\r\n"
    gears.client().client_pause(600_000, all=False)
    assert client.ask("GET", "k") == b"$1\r\nv\r\n"
    assert client.ask("MGET", "k") == b"*1\r\n$1\r\nv\r\n"
    assert other.ask("HELLO", "2").startswith(b"*")
    assert other.ask("LRANGE", "none", "0", "-1") == b"*0\r\n"
    other.say("SET", "k", "w")
    assert client.ask("CLIENT", "UNPAUSE") == b"+OK\r\n"
    assert other.hear() == b"+OK\r\n"
    assert client.ask("GET", "k") == b"$1\r\nw\r\n"


def test_a_pause_of_everything_ends_for_everybody(gears, talk):
    clients = [talk() for _ in range(4)]
    for number, client in enumerate(clients):
        assert client.ask("SET", f"k{number}", str(number)).endswith(b"OK\r\n")
    gears.client().client_pause(1500, all=True)
    for number, client in enumerate(clients):
        client.say(*(("GET", f"k{number}") if number % 2 else ("MGET", f"k{number}")))
    for number, client in enumerate(clients):
        assert client.hear().endswith(b"$1\r\n%d\r\n" % number)


def _paused(direct) -> bool:
    return direct.info("clients").get("paused_reason", "none") != "none"


def test_a_registration_that_comes_later_sees_the_next_write(gears, talk):
    client = talk()
    assert client.ask("SET", "kind:1", "v") == b"+OK\r\n"
    gears.run("GB('KeysReader').foreach(lambda x: execute('INCR', 'runs'))"
              ".register(prefix='kind:*', mode='sync')")  # fmt: skip
    assert client.ask("SET", "kind:1", "v") == b"+OK\r\n"
    assert gears.client().get("runs") == "1"
    gears.run("GB('CommandReader').map(lambda x: 'hooked').register(hook='get')")
    other = talk()
    assert other.ask("SET", "other", "v") == b"+OK\r\n"
    assert other.ask("GET", "other") == b"$6\r\nhooked\r\n"


def test_killing_a_client_closes_it(gears, talk):
    client = talk()
    assert client.ask("CLIENT", "SETNAME", "victim") == b"+OK\r\n"
    assert client.ask("SET", "k", "v") == b"+OK\r\n"
    with closing(gears.server.connect()) as conn:
        [line] = [
            line
            for line in conn.call("CLIENT", "LIST").decode().splitlines()
            if "name=victim" in line
        ]
        conn.call("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))
    assert client.hear() == b""


def test_wait_is_about_writes_on_shared_connections_too(gears, talk, start_redis):
    [port] = free_ports(1)
    with closing(gears.server.connect()) as conn:
        conn.call("CONFIG", "SET", "port", port)
        conn.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    replica = start_redis("--save", "", "--replicaof", f"127.0.0.1 {port}")
    client, witness = talk(), talk()
    wait_for(lambda: b"state=online" in witness.ask("INFO", "replication"), what="the replica")
    assert client.ask("SET", "k", "v") == b"+OK\r\n"
    assert witness.ask("SET", "k", "w") == b"+OK\r\n"
    assert witness.ask("WAIT", "1", "30000") == b":1\r\n"
    replica.process.send_signal(signal.SIGSTOP)
    assert client.ask("SET", "k", "x") == b"+OK\r\n"
    assert client.ask("WAIT", "1", "1") == b":0\r\n"
    replica.process.send_signal(signal.SIGCONT)
    assert client.ask("WAIT", "1", "0") == b":1\r\n"

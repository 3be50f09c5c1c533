"""Functions that may override a reply (`commands=[…]`), and hooks: nobody else is harmed by who waits."""

import concurrent.futures

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

WAITS = """
import time
def f(x):
    execute('RPUSH', 'seen', x['key'])
    while not execute('EXISTS', 'go'):
        time.sleep(0.01)
    override_reply('overridden')
GB('KeysReader').foreach(f).register(prefix='k:*', mode='async_local', commands=['append'], readValue=False)
"""

COUNTS = """
def f(x):
    override_reply('+' + execute('GET', x['key']))
GB('KeysReader').foreach(f).register(prefix='k:*', mode='sync', commands=['append'], readValue=False)
"""

HOOK = """
def f(words):
    return call_next(words[1], 'hooked')
GB('CommandReader').map(f).register(hook='set', mode='sync', convertToStr=False)
"""


def begun(client):
    wait_for(lambda: client.llen("seen"), what="the function to begin")


def test_a_client_that_leaves_does_not_keep_the_key_from_others(gears: MiniGears):
    gears.run(WAITS)
    with gears.client() as client:
        with gears.raw() as sock:
            sock.sendall(b"APPEND k:1 x\r\n")
            begun(client)
        client.set("go", 1)
        assert client.execute_command("APPEND", "k:1", "x") == "overridden"
        assert client.lrange("seen", 0, -1) == ["k:1", "k:1"]
        outstanding = "minigears_events_outstanding"
        wait_for(lambda: client.info("minigears")[outstanding] == 0, what="all events to be done")


def test_an_executor_that_dies_over_it_is_followed_by_one_that_runs_it(gears: MiniGears):
    gears.run(WAITS)
    with gears.client() as client, gears.client() as other:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            written = pool.submit(client.append, "k:1", "x")
            begun(other)
            gears.executor.kill()
            other.set("go", 1)
            assert written.result(60) == 1
        wait_for(lambda: other.llen("seen") == 2, what="the function to run again")


def test_each_client_has_the_reply_of_its_own_command(gears: MiniGears):
    gears.run(COUNTS)
    clients = [gears.client() for _ in range(8)]

    def write(client):
        return [client.execute_command("APPEND", "k:1", "x") for _ in range(20)]

    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        replies = [reply for found in pool.map(write, clients) for reply in found]
    for client in clients:
        client.close()
    assert all(type(reply) is str and set(reply) == {"x"} for reply in replies)


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
def test_inside_multi_only_sync_functions_change_a_reply(gears: MiniGears, mode):
    """Nothing waits there: others run, and are told that there is no reply to change."""
    gears.run(COUNTS.replace("'sync'", f"'{mode}'"))
    with gears.client() as client:
        with client.pipeline() as pipe:
            pipe.append("k:1", "x").append("k:1", "x")
            replies = pipe.execute()
        if mode == "sync":
            assert replies == ["xx", "xx"]
            return
        assert replies == [1, 2]
        assert client.execute_command("APPEND", "k:1", "x") == "xxx"


@pytest.mark.parametrize("discard", [False, True])
def test_a_hook_inside_multi_runs_unless_that_is_discarded(gears: MiniGears, discard):
    gears.run(HOOK)
    with gears.client() as client, gears.raw() as sock:
        client.set("k:1", "v")
        assert client.get("k:1") == "hooked"
        stream = sock.makefile("rb")
        sock.sendall(b"MULTI\r\nSET k:2 plain\r\n%s\r\n" % (b"DISCARD" if discard else b"EXEC"))
        replies = [stream.readline() for _ in range(3)]
        assert replies == [b"+OK\r\n", b"+QUEUED\r\n", b"+OK\r\n" if discard else b"*1\r\n"]
        assert discard or stream.readline() == b"$2\r\n"
        assert client.get("k:2") == (None if discard else "hooked")


@pytest.mark.parametrize(
    "register",
    [
        "GB().foreach(lambda x: None).register(prefix='k:*', mode='sync', commands=['blpop', 'rpush'])",
        "GB('CommandReader').foreach(lambda x: None).register(hook='blpop', keyprefix='other')",
    ],
)
def test_a_command_that_waits_for_others_does_not_make_them_wait(gears: MiniGears, register):
    with gears.client() as client:
        about = client.execute_command("COMMAND", "INFO", "blpop")
    if "noscript" in str(about):  # Redis 7.0: nobody may stand in front of it
        with pytest.raises(redis.ResponseError, match="not allowed inside a script"):
            gears.run(register)
        return
    gears.run(register)
    with gears.client() as client, gears.raw() as waiter:
        waiter.sendall(b"BLPOP k:1 0\r\n")
        wait_for(lambda: client.info("clients")["blocked_clients"] == 1, what="BLPOP")
        assert client.rpush("k:1", "v") == 1
        assert waiter.recv(100) == b"*2\r\n$3\r\nk:1\r\n$1\r\nv\r\n"
        waiter.sendall(b"BLPOP k:1 0\r\n")
        wait_for(lambda: client.info("clients")["blocked_clients"] == 1, what="BLPOP")
        waiter.close()
        wait_for(lambda: client.info("clients")["blocked_clients"] == 0, what="Redis to know")
        client.rpush("k:1", "kept")
        assert client.lrange("k:1", 0, -1) == ["kept"]


def test_the_reply_to_a_hooked_write_waits_for_its_sync_functions_too(gears: MiniGears):
    gears.run(
        "GB('KeysReader').foreach(lambda x: execute('RPUSH', 'seen', x['key']))"
        ".register(prefix='k:*', mode='sync', readValue=False)\n"
        "GB('CommandReader').map(lambda x: call_next(*x[1:])).register(hook='append', mode='async')"
    )
    with gears.client() as client:
        for seen in range(1, 51):
            client.append("k:1", "v")
            assert client.llen("seen") == seen
        wait_for(
            lambda: not client.info("minigears")["minigears_intents_pending"], what="no intents"
        )

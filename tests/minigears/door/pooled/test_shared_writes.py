"""Writes that concern a registration go over shared connections, too: nothing that holds for others is lost."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack, closing

import pytest
import uvloop

from minigears.address import Address
from minigears.door.events.journal import STREAM, Journal
from minigears.seal import Seal
from tests.minigears.door.pooled.talking import Talk, crowd, sharing
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer, wait_for

COUNT = (
    "GB('KeysReader').foreach(lambda x: execute('INCR', 'runs')).register('kind:*', mode='sync')"
)
WAIT = """
async def nap(x):
    import asyncio
    execute('RPUSH', 'begun', x['key'])
    while execute('GET', 'go') is None:
        await asyncio.sleep(0.01)
    execute('RPUSH', 'ended', x['key'])
GB('KeysReader').foreach(nap).register('slow:*', mode='sync')
"""
"""A function that waits for the key `go`; others go on meanwhile."""


def entries(gears: MiniGears) -> int:
    """In the journal."""
    with closing(gears.server.connect()) as conn:
        conn.call("SELECT", 15)
        return conn.call("XLEN", STREAM)


def test_functions_have_run_when_the_reply_comes_and_the_clients_go_on_sharing(gears, talk):
    gears.run(COUNT)
    clients = [talk() for _ in range(20)]
    for turn in range(1, 11):
        for number, client in enumerate(clients):
            client.say("SET", f"kind:{number % 7}", f"{turn}")
        assert {client.hear() for client in clients} == {b"+OK\r\n"}
        assert clients[0].ask("GET", "runs") == b"$%d\r\n%d\r\n" % (len(f"{20 * turn}"), 20 * turn)
    assert sharing(gears) == len(clients)
    wait_for(lambda: entries(gears) == 0, what="an empty journal")


def test_a_function_is_told_of_the_type_that_the_key_has_after_the_write(gears, talk):
    gears.run(
        "GB().foreach(lambda r: execute('RPUSH', 'told', r['event'] + ' ' + r['type']))"
        ".register('kind:*', mode='sync')"
    )
    client = talk()
    for words in (("SADD", "kind:1", "v"), ("DEL", "kind:1"), ("SET", "kind:1", "v")):
        client.ask(*words)
    with closing(gears.server.connect()) as conn:
        told = conn.call("LRANGE", "told", "0", "-1")
    assert told == [b"sadd set", b"del empty", b"set string"]


def test_a_reply_waits_for_its_own_functions_only(gears, talk):
    gears.run(COUNT)
    gears.run(WAIT)
    slow, quick = talk(), talk()
    slow.say("SET", "slow:1", "v")
    wait_for(lambda: quick.ask("LLEN", "begun") == b":1\r\n", what="the function")
    for number in range(10):
        assert quick.ask("SET", f"kind:{number}", "v") == b"+OK\r\n"
        assert quick.ask("GETSET", "slow", "v")[:1] == b"$"
    slow.say("GET", "kind:1")  # it does not wait: it is answered in its turn
    assert quick.ask("SET", "go", "1") == b"+OK\r\n"
    assert [slow.hear(), slow.hear()] == [b"+OK\r\n", b"$1\r\nv\r\n"]
    assert quick.ask("LRANGE", "ended", "0", "-1") == b"*1\r\n$6\r\nslow:1\r\n"
    assert slow.ask("SET", "kind:1", "w") == b"+OK\r\n"


def test_an_error_and_a_large_reply_come_as_from_redis(gears, talk):
    gears.run(COUNT)
    client = talk()
    assert client.ask("SET", "kind:1", "x" * 9000) == b"+OK\r\n"
    assert client.ask("HSET", "kind:1", "f", "v").startswith(b"-WRONGTYPE")
    assert client.ask("APPEND", "kind:1", "x" * 9000) == b":18000\r\n"
    assert client.ask("GETSET", "kind:1", "v") == b"$18000\r\n%b\r\n" % (b"x" * 18000)
    assert client.ask("GET", "kind:1") == b"$1\r\nv\r\n"
    assert client.ask("GET", "runs") == b"$1\r\n3\r\n"


@pytest.mark.parametrize("half", [True, False])
def test_functions_of_a_client_that_leaves_come_to_their_end(gears, talk, half):
    gears.run(WAIT)
    left, witness = talk(), talk()
    left.say("SET", "slow:1", "v")
    wait_for(lambda: witness.ask("LLEN", "begun") == b":1\r\n", what="the function")
    if half:
        left.sock.shutdown(socket.SHUT_WR)
    else:
        left.stream.close()
        left.sock.close()
    assert witness.ask("SET", "go", "1") == b"+OK\r\n"
    if half:
        assert [left.hear(), left.hear()] == [b"+OK\r\n", b""]
    wait_for(lambda: witness.ask("LLEN", "ended") == b":1\r\n", what="its end")
    wait_for(lambda: entries(gears) == 0, what="an empty journal")


def test_a_client_that_is_killed_is_closed_behind_its_reply(gears, talk):
    gears.run(WAIT)
    client, witness = talk(), talk()
    assert client.ask("CLIENT", "SETNAME", "victim") == b"+OK\r\n"
    client.say("SET", "slow:1", "v")
    wait_for(lambda: witness.ask("LLEN", "begun") == b":1\r\n", what="the function")
    with closing(gears.server.connect()) as conn:
        lines = conn.call("CLIENT", "LIST").decode().splitlines()
        [line] = [line for line in lines if "name=victim" in line]
        conn.call("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))
    assert witness.ask("SET", "go", "1") == b"+OK\r\n"
    assert [client.hear(), client.hear()] == [b"+OK\r\n", b""]


def test_what_was_on_its_way_at_a_crash_is_done_after_it(start_redis, tmp_path):
    gears = MiniGears(start_redis("--save", "", "--appendonly", "no"), tmp_path)
    gears.start()
    gears.run(WAIT)
    keys = {f"slow:{number}" for number in range(20)}
    with crowd(gears), ExitStack() as stack, closing(gears.server.connect()) as conn:
        clients = [Talk(stack.enter_context(gears.raw())) for _ in keys]
        for client, key in zip(clients, keys, strict=True):
            client.say("SET", key, "v")
        wait_for(lambda: conn.call("LLEN", "begun") == len(keys), what="all functions")
        gears.kill()
        conn.call("SET", "go", "1")
        gears.start()
        wait_for(lambda: set(_ended(conn)) == keys, what="functions again")
        wait_for(lambda: entries(gears) == 0, what="an empty journal")
        for client in clients:
            client.stream.close()
    assert gears.stop() == 0


def test_who_is_told_to_stop_waits_for_functions(start_redis, tmp_path):
    gears = MiniGears(start_redis("--save", "", "--appendonly", "no"), tmp_path)
    gears.start()
    gears.run(WAIT)
    with crowd(gears), gears.raw() as sock, closing(gears.server.connect()) as conn:
        client = Talk(sock)
        client.say("SET", "slow:1", "v")
        wait_for(lambda: conn.call("LLEN", "begun") == 1, what="the function")
        gears.process.send_signal(signal.SIGTERM)
        conn.call("SET", "go", "1")
        assert [client.hear(), client.hear()] == [b"+OK\r\n", b""]
        client.stream.close()
        assert gears.process.wait(60) == 0
        assert _ended(conn) == ["slow:1"]


def _ended(conn) -> list[str]:
    return [key.decode() for key in conn.call("LRANGE", "ended", 0, -1)]


def test_one_entry_holds_the_keys_of_all_until_the_last_has_released_it(redis_server: RedisServer):
    async def scenario() -> None:
        journal = Journal(Seal(None), lambda: None)
        address = Address(path=str(redis_server.socket))
        await journal.connect(address)
        intents = [journal.record_together(keys) for keys in ([b"a"], [b"b"], [b"a", b"c"])]
        journal.write_together()
        alone = journal.record_together([b"d"])
        journal.write_together()
        assert await journal.length() == 2
        for intent in intents[:2]:
            journal.release(intent)
        journal.flush()
        assert await journal.length() == 2
        assert [i.keys for i in await journal.leftovers(address)] == [[b"a", b"b", b"c"], [b"d"]]
        for intent in (intents[2], alone):
            journal.release(intent)
        journal.flush()
        assert await journal.length() == 0
        for number in range(1000):  # an entry does not grow without end
            journal.record_together([b"%d" % number])
        journal.write_together()
        assert await journal.length() > 1
        assert {k for i in await journal.leftovers(address) for k in i.keys} == {
            b"%d" % number for number in range(1000)
        }
        journal.close()

    uvloop.run(scenario())

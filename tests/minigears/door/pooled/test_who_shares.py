"""When clients share connections to redis-server, when they do not, and when these are made anew."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing

import pytest
import uvloop

from minigears.address import Address
from minigears.door.pooled.connections import _NOBODY, PooledConnection
from minigears.door.pooled.guest import FEW
from minigears.door.redis import connect
from tests.minigears.door.pooled.talking import Talk, crowd, sharing
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for


def test_connections_are_made_anew_while_writes_are_paused(own_gears):
    gears = own_gears()
    with closing(gears.server.connect()) as conn:
        conn.call("CLIENT", "PAUSE", "600000", "WRITE")
        conn.call("CLIENT", "KILL", "TYPE", "normal")
        wait_for(lambda: "is back" in gears.log, what="new connections")
        with crowd(gears), gears.raw() as sock:
            assert Talk(sock).ask("GET", "k") == b"$-1\r\n"
        conn.call("CLIENT", "UNPAUSE")
    wait_for(lambda: shares(gears), what="shared connections")


@pytest.fixture
def own_gears(start_redis, tmp_path):
    """Starts a minigears with a Redis of its own, and stops it."""
    with ExitStack() as stack:

        def start(*settings):
            server = start_redis("--save", "")
            with closing(server.connect()) as conn:
                for setting in settings:
                    conn.call(*setting)
            url = f"unix://door:secret@{server.socket}" if settings else f"unix://{server.socket}"
            gears = MiniGears(server, tmp_path, "--redis", url)
            gears.start()
            stack.callback(gears.stop)
            return gears

        yield start


@pytest.mark.parametrize(
    "setting",
    [
        ("CONFIG", "SET", "timeout", "1000"),
        ("CONFIG", "SET", "client-output-buffer-limit", "normal 1000000 0 0"),
        ("CONFIG", "SET", "maxmemory-clients", "100000000"),
        ("ACL", "SETUSER", "default", "-publish"),
    ],
)
def test_nobody_shares_where_redis_is_set_up_against_it(own_gears, setting):
    user = ("ACL", "SETUSER", "door", "on", ">secret", "~*", "&*", "+@all")
    assert not shares(own_gears(user, setting))


def test_a_connection_that_is_lost_takes_no_command(tmp_path):
    async def scenario() -> None:
        address = Address(path=str(tmp_path / "s"))
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), address.path)
        pooled = await connect(
            address, lambda: PooledConnection(2, lambda: None, lambda: None, lambda: None)
        )
        await pooled.closed
        for _ in range(2):
            pooled.carry(None, b"*1\r\n$4\r\nPING\r\n")
        await asyncio.sleep(0)
        server.close()

    uvloop.run(scenario())


@pytest.mark.parametrize(
    "said", [b"*0\r\n", b"*2\r\n+a\r\n+b\r\n", b"%0\r\n", b"+a\r\n*1\r\n+b\r\n"]
)
def test_a_reply_that_cannot_be_told_from_the_next_ends_the_sharing(tmp_path, said):
    """An array is one that was not asked for."""
    cannot_tell = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)

    async def scenario() -> None:
        address = Address(path=str(tmp_path / "s"))
        server = await asyncio.start_unix_server(answer, address.path)
        pooled = await connect(
            address,
            lambda: PooledConnection(
                2, lambda: None, lambda: None, lambda: cannot_tell.append(said)
            ),
        )
        for _ in range(2):
            pooled.carry(_NOBODY, b"*1\r\n$4\r\nPING\r\n")
        await pooled.closed
        server.close()

    uvloop.run(scenario())
    assert cannot_tell == [said]


def shares(gears: MiniGears) -> bool:
    """Whether a client that comes now shares."""
    with crowd(gears), gears.raw() as sock:
        assert Talk(sock).ask("SET", "k", "v") == b"+OK\r\n"
        return sharing(gears) == 1


def test_a_few_clients_have_nothing_to_share(own_gears):
    gears = own_gears()
    with ExitStack() as stack:
        clients = [Talk(stack.enter_context(gears.raw())) for _ in range(FEW - 1)]
        assert {client.ask("SET", "k", "v") for client in clients} == {b"+OK\r\n"}
        assert sharing(gears) == 0
    assert shares(gears)


@pytest.mark.parametrize(
    "first", ["SET kind:1 v", "PING", "GET kind:1", "CLIENT SETNAME me", "SET other v"]
)
def test_while_there_are_registrations_about_keys_one_shares_alone(own_gears, first):
    """Few clients begin with a write that concerns one."""
    gears = own_gears()
    gears.run("GB().foreach(lambda r: execute('INCR', 'runs')).register('kind:*', mode='sync')")
    with gears.raw() as sock:
        client = Talk(sock)
        assert client.ask(*first.split())[:1] != b"-"
        assert client.ask("SET", "kind:1", "v") == b"+OK\r\n"
        assert sharing(gears) == 1
        assert client.ask("GET", "runs") == (
            b"$1\r\n2\r\n" if "SET kind" in first else b"$1\r\n1\r\n"
        )


def test_nobody_shares_any_more_once_redis_closes_idle_connections(own_gears):
    gears = own_gears()
    with crowd(gears), gears.raw() as sock, closing(gears.server.connect()) as conn:
        client = Talk(sock)
        assert client.ask("SET", "k", "v") == b"+OK\r\n"
        conn.call("CONFIG", "SET", "timeout", "1")
        assert client.hear() == b""  # idle, so closed
    wait_for(lambda: not shares(gears), what="no more sharing")


def test_a_lost_shared_connection_is_made_anew(own_gears):
    gears = own_gears()
    with crowd(gears), gears.raw() as sock, closing(gears.server.connect()) as conn:
        client = Talk(sock)
        assert client.ask("SET", "k", "v") == b"+OK\r\n"
        listed = conn.call("CLIENT", "LIST").decode().splitlines()
        [pooled] = [line for line in listed if "cmd=set" in line]
        conn.call("CLIENT", "KILL", "ID", pooled.split()[0].removeprefix("id="))
        assert client.hear() == b""
    assert shares(gears)

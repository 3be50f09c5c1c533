"""The word behind writes that leave together on a shared connection, which may be that of a user who may not do all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import uvloop

from minigears.address import Address
from minigears.door.events.crossing import Crossing, KeyType
from minigears.door.events.delivery import Event
from minigears.door.events.notifications import Notifications
from minigears.door.pooled.connections import PooledConnection
from minigears.door.redis import Connection, connect, open_connection
from minigears.interest import KEYSPACE
from minigears.protocol import encode_command
from tests.minigears.realredis import RedisServer


class _Nobody:
    def answered(self, piece: bytes, whole: bool) -> None:
        """The write's own reply."""


@dataclass
class Shore:
    """Both sides of a crossing, and what was told of on the way."""

    notifications: Notifications
    outbox: list[Event] = field(default_factory=list)
    connection: PooledConnection = field(init=False)

    def heard(self, key: bytes, name: str, own: bool) -> None:
        self.outbox.append(Event(len(self.outbox), "r", key, name, True))

    def unsent(self, key: bytes) -> list[Event]:
        return [event for event in self.outbox if event.key == key]

    async def write(self, *words: str) -> None:
        """Send one write, and return once its barrier is passed and its connection is silent."""
        crossing = self.connection.crossing
        assert crossing is not None
        crossing.board([words[1].encode()])
        self.connection.carry(_Nobody(), encode_command(words))
        passed, silent = asyncio.Event(), asyncio.Event()
        crossing.when_passed(passed.set)
        self.connection.carry(_Last(silent), encode_command(["PING"]))
        await passed.wait()
        await silent.wait()


@dataclass
class _Last:
    event: asyncio.Event

    def answered(self, piece: bytes, whole: bool) -> None:
        self.event.set()


def sail(server: RedisServer, scenario: Callable[[Shore], Awaitable[None]], *rules: str) -> None:
    """Run a scenario for a user to whom these rules apply."""

    async def run() -> None:
        address = Address(path=str(server.socket))
        shore = Shore(Notifications(lambda *told: shore.heard(*told), lambda mark: False))
        admin = await open_connection(address, Connection)
        await admin.call("FLUSHALL")
        await admin.call("CONFIG", "SET", "notify-keyspace-events", "KA")
        await shore.notifications.connect(address, frozenset({KEYSPACE + b"*"}))
        await admin.call("ACL", "SETUSER", "sailor", "reset", "on", ">pw", "~*", "&*", "+@all")
        shore.connection = await connect(
            address,
            lambda: PooledConnection(
                2, lambda: None, lambda: Crossing(shore.notifications, shore.unsent), lambda: None
            ),
        )
        await shore.connection.call("AUTH", "sailor", "pw")
        if rules:
            await admin.call("ACL", "SETUSER", "sailor", *rules)
        await scenario(shore)
        await admin.call("ACL", "DELUSER", "sailor")
        for closing in (shore.notifications, shore.connection, admin):
            closing.close()

    uvloop.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        ((), b"list"),
        (("-publish",), b""),
        (("resetchannels",), b""),
        (("-type",), b""),
    ],
)
def test_the_word_comes_behind_all_events_whatever_the_user_may(
    redis_server: RedisServer, rules: tuple[str, ...], kind: bytes
) -> None:
    async def scenario(shore: Shore) -> None:
        for _ in range(3):
            await shore.write("RPUSH", "k", "v")
            assert [(event.name, event.kind) for event in shore.outbox] == [("rpush", kind)]
            shore.outbox.clear()

    sail(redis_server, scenario, *rules)


def test_what_does_not_leave_alone_has_none(redis_server: RedisServer) -> None:
    async def scenario(shore: Shore) -> None:
        shore.connection.carry(_Nobody(), encode_command(["PING"]))
        assert shore.connection.crossing is None
        silent = asyncio.Event()
        shore.connection.carry(_Last(silent), encode_command(["SET", "k", "v"]))
        await silent.wait()
        await shore.write("SET", "c", "v")
        assert shore.outbox[-1].kind == b"string"

    sail(redis_server, scenario)


@pytest.mark.parametrize("first", ["reply", "word"])
def test_a_type_holds_for_what_came_before_the_word_alone(first: str) -> None:
    before, after = (Event(number, "r", b"k", "set", True) for number in range(2))
    told = KeyType()
    if first == "word":
        told.holds_for([before])
    told.answered(b"+str", False)
    told.answered(b"ing\r\n", True)
    if first == "reply":
        told.holds_for([before])
    assert (before.kind, after.kind) == (b"string", b"")

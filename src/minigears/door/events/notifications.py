"""The keyspace-notification connection: Redis itself says what happened to which key.

Redis publishes a notification while it runs the command, before it answers the client. A PING that
is sent on this connection once a write's reply has arrived is therefore answered only after every
notification of that write: that is the barrier.
Source: https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from minigears.address import Address
from minigears.door.redis import BackendError, Connection, open_connection
from minigears.interest import KEYSPACE, OWN_CHANNEL

BARRIER_CHANNEL = b"__minigears__:barrier"
"""Where a word is published behind writes on a shared connection."""

SETTING = b"notify-keyspace-events"
"""The setting of Redis that switches them on."""

_FLAGS = "KA"
"""Keyspace channels, all classes of events but key misses and new keys."""

_WORDS, _WORD_BYTES = 256, 16

_PING = b"*1\r\n$4\r\nPING\r\n"

OnEvent = Callable[[bytes, str, bool], None]
"""Called with key, event, and whether a sync function wrote it."""


class _Subscriber(Connection):
    """Tells messages from replies; replies to PING and PSUBSCRIBE come in the order sent."""

    on_message: Callable[[bytes, bytes], None]

    def on_reply(self, reply: Any) -> None:
        if isinstance(reply, list) and reply[0] == b"pmessage":
            self.on_message(reply[2], reply[3])
        else:
            super().on_reply(reply)


class Notifications:
    """Subscribes to what the registrations watch, and offers the barrier."""

    def __init__(self, on_event: OnEvent, begins: Callable[[bytes], bool]):
        """`begins` tells whether a mark is one of our executor's (see `marks`)."""
        self._on_event = on_event
        self._begins = begins
        self._connection: _Subscriber | None = None
        self._patterns: frozenset[bytes] = frozenset()
        self._own = False
        self._waiting: list[Callable[[], None]] = []
        self._scheduled = False
        self._words: list[bytes] = []
        """That were not used yet."""
        self._expected: dict[bytes, Callable[[], None]] = {}
        """Words on the channel of barriers, which nobody can guess, and who waits for each."""

    async def connect(self, address: Address, patterns: frozenset[bytes]) -> asyncio.Future[None]:
        """Connect and subscribe to these patterns; returns a future that is done when lost."""
        connection = await open_connection(address, _Subscriber)
        await _check(connection)
        connection.on_message = self._message
        self._connection = connection
        self._own = False
        self._patterns = frozenset()
        self._expected = {}
        await connection.call("PSUBSCRIBE", BARRIER_CHANNEL)
        await self.watch(patterns)
        return connection.closed

    async def watch(self, patterns: frozenset[bytes]) -> None:
        """Subscribe to exactly these patterns; returns once Redis has confirmed."""
        new, old = sorted(patterns - self._patterns), sorted(self._patterns - patterns)
        self._patterns = patterns
        connection = self._connected()
        for command, names in (("PSUBSCRIBE", new), ("PUNSUBSCRIBE", old)):
            confirmations = [connection.call(command, name) for name in names]
            if confirmations:
                await asyncio.gather(*confirmations)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def barrier(self, callback: Callable[[], None]) -> None:
        """Call back when every notification of writes already answered has been handled.

        All barriers that are asked for in one turn of the event loop share one PING.
        """
        self._waiting.append(callback)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._ping)

    def expect(self, callback: Callable[[], None]) -> bytes:
        """A word to publish on the channel of barriers.

        Calls back when it was heard: all that Redis told of before it has been handled.
        """
        if not self._words:  # many at a time: each call of the kernel counts
            fresh = os.urandom(_WORDS * _WORD_BYTES).hex().encode()
            self._words = [
                fresh[at : at + 2 * _WORD_BYTES] for at in range(0, len(fresh), 2 * _WORD_BYTES)
            ]
        word = self._words.pop()
        self._expected[word] = callback
        return word

    def forget(self, word: bytes) -> None:
        """It was not published."""
        self._expected.pop(word, None)

    def _ping(self) -> None:
        self._scheduled = False
        callbacks, self._waiting = self._waiting, []
        self._connected().send_packed(lambda reply: self._pong(reply, callbacks), _PING)

    def _pong(self, reply: Any, callbacks: list[Callable[[], None]]) -> None:
        # When the connection is lost, so may be the notifications: nobody is told. The door closes
        # the clients that wait, and settles their writes from the intents once it is back.
        # An error of Redis, which may forbid PING meanwhile, comes in its turn and is as good.
        if not isinstance(reply, BackendError):
            for callback in callbacks:
                callback()

    def _message(self, channel: bytes, payload: bytes) -> None:
        if channel == OWN_CHANNEL:
            self._own = self._begins(payload)
        elif channel == BARRIER_CHANNEL:
            if callback := self._expected.pop(payload, None):
                callback()
        else:
            self._on_event(channel[len(KEYSPACE) :], payload.decode(errors="replace"), self._own)

    def _connected(self) -> _Subscriber:
        if self._connection is None:
            raise BackendError("not connected to redis-server")
        return self._connection


async def _check(connection: _Subscriber) -> None:
    """Subscribe to something, to see that it will be allowed; raises BackendError if it is not."""
    try:
        await connection.call("PSUBSCRIBE", OWN_CHANNEL)
        await connection.call("PUNSUBSCRIBE", OWN_CHANNEL)
    except BackendError as error:
        connection.close()
        raise BackendError(
            f"{error}. Notifications tell minigears what happens: give its user +psubscribe and "
            "all channels, ACL SETUSER … &*"
        ) from None


async def enable_notifications(connection: Connection, key_misses: bool) -> None:
    """Switch on the classes of notifications that are needed, beside those that are on already.

    Raises:
        BackendError: Redis forbids CONFIG and does not send them.
    """
    current = (await connection.call("CONFIG", "GET", SETTING))[1]
    merged = with_needed(current, key_misses)
    if merged != current:
        await connection.call("CONFIG", "SET", SETTING, merged)


def with_needed(flags: bytes, key_misses: bool) -> bytes:
    """A value of the setting, and the flags that are needed if it does not have them."""
    wanted = set(_FLAGS) | ({"m"} if key_misses else set())
    have = set(flags.decode("latin-1").replace("A", "g$lshzxetdA"))
    return flags if wanted <= have else "".join(sorted(have | wanted)).encode("latin-1")

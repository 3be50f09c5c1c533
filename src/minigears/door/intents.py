"""The journal of intents: keys whose functions have not run yet.

An entry is added before a write is forwarded and removed when the write's functions are done. What a
crash leaves behind becomes events again: delivery is at least once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from minigears.address import Address
from minigears.door.backend import BackendError, Connection, open_connection

log = logging.getLogger(__name__)

STREAM = b"__minigears__:intents"
"""The stream of intents, in the last database: `KEYS *` of the first never shows it."""

_REMOVE_AFTER = 0.05  # seconds; a removal that comes late costs a duplicate after a crash, no more
_REMOVE_BATCH = 128
_PAGE = 100  # entries; each may have many keys


class Intent:
    """One entry: the keys that one batch of writes from one client may change."""

    __slots__ = ("_on_answered", "answered", "entry_id")

    def __init__(self) -> None:
        self.entry_id: bytes | None = None
        self.answered = False
        self._on_answered: list[Callable[[], None]] = []

    @classmethod
    def of(cls, entry_id: bytes) -> Intent:
        """An intent that an earlier life recorded."""
        intent = cls()
        intent.entry_id, intent.answered = entry_id, True
        return intent

    def when_recorded(self, callback: Callable[[], None]) -> None:
        """Call back once Redis has answered (at once if it has); never if the connection is lost."""
        if self.answered:
            callback()
        else:
            self._on_answered.append(callback)


class Journal:
    """Writes and removes intents, and reads what an earlier life left behind."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._remove: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    async def connect(self, address: Address) -> asyncio.Future[None]:
        """Connect, and choose the last database; returns a future that is done when lost."""
        connection = await open_connection(address, Connection)
        databases = await connection.call("CONFIG", "GET", "databases")
        await connection.call("SELECT", int(databases[1]) - 1)
        self._connection = connection
        return connection.closed

    def record(self, keys: Iterable[bytes]) -> Intent:
        """Write an entry for `keys`."""
        intent = Intent()
        words = [word for key in keys for word in (b"k", key)]
        self._open().send(lambda reply: self._recorded(intent, reply), "XADD", STREAM, "*", *words)
        return intent

    def release(self, intent: Intent) -> None:
        """All functions of the writes are done: remove the entry."""
        intent.when_recorded(lambda: self._remove_later(intent.entry_id))

    async def length(self) -> int:
        """Entries in the journal; raises BackendError while Redis is away."""
        return int(await self._open().call("XLEN", STREAM))

    async def leftovers(self) -> list[tuple[bytes, list[bytes]]]:
        """Entries in the journal, oldest first: (entry id, keys)."""
        found: list[tuple[bytes, list[bytes]]] = []
        start = b"-"
        while True:
            page = await self._open().call("XRANGE", STREAM, start, "+", "COUNT", _PAGE)
            found += [(entry_id, fields[1::2]) for entry_id, fields in page]
            if len(page) < _PAGE:
                return found
            start = b"(" + page[-1][0]

    def _recorded(self, intent: Intent, reply: Any) -> None:
        if isinstance(reply, BackendError):
            return  # whoever waits is never told, so the write is never acknowledged
        if isinstance(reply, bytes):
            intent.entry_id = reply
        else:
            # Out of memory, or a replica now: the write itself gets the same answer.
            log.warning("an intent was not recorded: %s", reply)
        intent.answered = True
        callbacks, intent._on_answered = intent._on_answered, []
        for callback in callbacks:
            callback()

    def _remove_later(self, entry_id: bytes | None) -> None:
        if entry_id is None:
            return
        self._remove.append(entry_id)
        if len(self._remove) >= _REMOVE_BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_REMOVE_AFTER, self.flush)

    def flush(self) -> None:
        """Remove now what is due to be removed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ids, self._remove = self._remove, []
        if ids and self._connection is not None:
            self._connection.send(lambda reply: None, "XDEL", STREAM, *ids)

    def beat(self) -> None:
        """Say something, so that Redis does not take the connection for an idle one."""
        self._open().send(lambda reply: None, "PING")

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the journal is not connected")
        return self._connection

"""The journal of intents: keys whose functions have not run yet.

An entry is added before a write is forwarded and removed when the write's functions are done. What a
crash leaves behind becomes events again: delivery is at least once. The stream is a key as others are: what
somebody else puts there has no code that fits (`seal`), and what somebody takes away is written again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigears.address import Address
from minigears.door.redis import BackendError, Connection, open_connection
from minigears.seal import Seal

log = logging.getLogger(__name__)

STREAM = b"__minigears__:intents"
"""The stream of intents, in the last database: `KEYS *` of the first never shows it."""

_REMOVE_AFTER = 0.05  # seconds; a removal that comes late costs a duplicate after a crash, no more
_REMOVE_BATCH = 128  # entries, with which a removal waits no longer
_PAGE = 100  # entries; each may have many keys
_MAX_TOGETHER = 128  # keys of several clients in one entry


_SEALED = b"intent"
"""What codes of entries are made of, before the keys."""

Entry = tuple[bytes, list[bytes]]
"""An entry's id, and its fields or the keys in them."""


class Intent:
    """One entry: the keys that writes which are sent in one piece may change."""

    __slots__ = ("_on_answered", "answered", "entry_id", "keys", "users")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self.keys = list(keys)
        self.users = 1
        """How many have still to release it."""
        self.entry_id: bytes | None = None
        self.answered = False
        self._on_answered: list[Callable[[], None]] = []

    @classmethod
    def of(cls, entry_id: bytes, keys: Iterable[bytes]) -> Intent:
        """An intent that an earlier life recorded."""
        intent = cls(keys)
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

    def __init__(self, seal: Seal, when_lost: Callable[[], None]) -> None:
        """`when_lost` is called when entries are not where they should be: it has `bring_back` called."""
        self._seal = seal
        self._when_lost = when_lost
        self._connection: Connection | None = None
        self._database = 0
        self._together: Intent | None = None
        """What several clients are going to write in this turn of the event loop."""
        self._live: dict[bytes, Intent] = {}
        """What is recorded and not to be removed yet."""
        self._there = 0
        """How many entries Redis should have, when it answers what it was sent last."""
        self._made = False
        """Whether there should be a stream, be it empty."""
        self._remove: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    async def connect(self, address: Address) -> asyncio.Future[None]:
        """Connect, and choose the last database; returns a future that is done when lost."""
        connection = await open_connection(address, Connection)
        databases = await connection.call("CONFIG", "GET", "databases")
        self._database = int(databases[1]) - 1
        await connection.call("SELECT", self._database)
        self._connection = connection
        self._together = None  # those who were to write are closed
        self._live, self._there, self._made = {}, 0, False
        return connection.closed

    def record(self, keys: Iterable[bytes]) -> Intent:
        """Write an entry for `keys`."""
        intent = Intent(keys)
        self._write(intent)
        return intent

    def record_together(self, keys: Sequence[bytes]) -> Intent:
        """Have one entry for `keys` and those of others, which each of them has to release.

        It is written by `write_together`: to be called before any of these writes leaves.
        """
        intent = self._together
        if intent is None:
            intent = self._together = Intent(keys)
            return intent
        intent.keys += keys
        intent.users += 1
        if len(intent.keys) >= _MAX_TOGETHER:
            self.write_together()
        return intent

    def write_together(self) -> None:
        """Write what `record_together` has gathered, if anything."""
        if self._together is not None:
            intent, self._together = self._together, None
            intent.keys = list(dict.fromkeys(intent.keys))
            self._write(intent)

    def _write(self, intent: Intent) -> None:
        words = [word for key in intent.keys for word in (b"k", key)]
        code = self._seal.code([_SEALED, *intent.keys])
        self._open().send(
            lambda reply: self._recorded(intent, reply), "XADD", STREAM, "*", b"s", code, *words
        )

    def release(self, intent: Intent) -> None:
        """All functions of one user's writes are done: remove the entry after the last one's."""
        intent.users -= 1
        if not intent.users:
            intent.when_recorded(lambda: self._remove_later(intent.entry_id))

    async def length(self) -> int:
        """Entries in the journal; raises BackendError while Redis is away."""
        return int(await self._open().call("XLEN", STREAM))

    async def leftovers(self, address: Address) -> list[Intent]:
        """Entries in the journal, oldest first; what nobody of us wrote stays where it is.

        Those that came into other databases while nobody looked are brought back.
        """
        try:
            entries = await _entries(self._open())
        except BackendError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            log.error("%r was replaced by something else, which is deleted", STREAM.decode())
            await self._open().call("DEL", STREAM)
            entries = []
        found = [Intent.of(entry_id, keys) for entry_id, keys in self._ours(entries)]
        if foreign := len(entries) - len(found):
            log.error(
                "%d entries of %r in the last database run no function: minigears did not write them, "
                "or had another password then (MINIGEARS_PREVIOUS_PASSWORD)",
                *(foreign, STREAM.decode()),
            )
        self._live |= {intent.entry_id: intent for intent in found if intent.entry_id}
        self._there, self._made = len(entries), bool(entries)
        return found + await self._sweep(address, keep=True)

    def _ours(self, entries: list[Entry]) -> list[Entry]:
        """Ids and keys of those that have a code that fits."""
        found = []
        for entry_id, fields in entries:
            keys = fields[3::2]
            if fields[0] == b"s" and self._seal.fits(fields[1], [_SEALED, *keys]):
                found.append((entry_id, keys))
        return found

    async def bring_back(self, address: Address) -> None:
        """Write again what somebody took away, and remove what of it came into other databases.

        Raises:
            BackendError: the connection is lost.
        """
        journal = self._open()
        if await journal.call("TYPE", STREAM) not in (b"stream", b"none"):
            await journal.call("DEL", STREAM)
        lost, self._live = self._live, {}
        self._made = False
        journal.send(self._recounted, "XLEN", STREAM)
        if lost:
            journal.send(self._removed, "XDEL", STREAM, *lost)
        for intent in lost.values():
            intent.entry_id, intent.answered = None, False
            self._write(intent)
        await self._sweep(address, keep=False)

    async def _sweep(self, address: Address, keep: bool) -> list[Intent]:
        """Remove our entries from other databases; with `keep`, returns what was written here for them."""
        kept: list[Intent] = []
        connection = await open_connection(address, Connection)
        try:
            for database in range(self._database):
                await connection.call("SELECT", database)
                if await connection.call("TYPE", STREAM) == b"stream":
                    await self._clear(connection, kept if keep else None)
        finally:
            connection.close()
        return kept

    async def _clear(self, connection: Connection, kept: list[Intent] | None) -> None:
        """Remove our entries from the chosen database, once they are recorded here if they are to be kept."""
        for entry_id, keys in self._ours(await _entries(connection)):
            if kept is not None:
                kept.append(self.record(keys))
                recorded = asyncio.Event()
                kept[-1].when_recorded(recorded.set)
                await (
                    self.length()
                )  # raises when the connection is lost: it would never be recorded
                await recorded.wait()
            await connection.call("XDEL", STREAM, entry_id)
        if not await connection.call("XLEN", STREAM):
            await connection.call("DEL", STREAM)

    def _recorded(self, intent: Intent, reply: Any) -> None:
        if isinstance(reply, BackendError):
            return  # whoever waits is never told, so the write is never acknowledged
        if isinstance(reply, bytes):
            intent.entry_id = reply
            self._live[reply] = intent
            self._there += 1
            self._made = True
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
        self._live.pop(entry_id, None)
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
            self._connection.send(self._removed, "XDEL", STREAM, *ids)

    def _recounted(self, reply: Any) -> None:
        if isinstance(reply, int):
            self._there = reply

    def _removed(self, reply: Any) -> None:
        if isinstance(reply, int):
            self._there -= reply

    def beat(self) -> None:
        """See that all is there that should be, if only so that Redis does not take us for idle."""
        self._open().send(self._looked, "EXISTS", STREAM)
        self._open().send(self._counted, "XLEN", STREAM)

    def _looked(self, reply: Any) -> None:
        if self._made and reply == 0:
            self._when_lost()

    def _counted(self, reply: Any) -> None:
        if isinstance(reply, BackendError):
            return
        if not isinstance(reply, int) or reply < self._there:
            self._when_lost()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the journal is not connected")
        return self._connection


async def _entries(connection: Connection) -> list[Entry]:
    """All entries of the stream in the database that is chosen, oldest first, with their fields."""
    found: list[Entry] = []
    start = b"-"
    while True:
        page = await connection.call("XRANGE", STREAM, start, "+", "COUNT", _PAGE)
        found += [(entry_id, fields) for entry_id, fields in page]
        if len(page) < _PAGE:
            return found
        start = b"(" + page[-1][0]

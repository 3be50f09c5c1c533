"""`RG.CAPTURE`: what is captured from now on, and also after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from minigears.door.capture import kept
from minigears.door.capture.captures import Captures
from minigears.door.capture.queue import Queue
from minigears.door.redis import BackendError, Connection
from minigears.functionlibrary import description
from minigears.protocol import Command, encode_error, encode_reply
from minigears.seal import Seal

log = logging.getLogger(__name__)

_HELP = "RG.CAPTURE is REGISTER prefix [QUEUE name] [PARTITIONS n] [ENTRIES n] [BYTES n], UNREGISTER prefix, or DUMP"
_OPTIONS = {
    "QUEUE": "namespace",
    "PARTITIONS": "partitions",
    "ENTRIES": "max_entries",
    "BYTES": "max_bytes",
}


class CaptureRefusedError(Exception):
    """A command that cannot be carried out; the text says why."""


class Register:
    """Captures given at the start, and those that clients register and Redis keeps."""

    def __init__(
        self,
        given: Mapping[bytes, Queue],
        usual: Queue,
        seal: Seal,
        use: Callable[[Captures], None],
    ):
        """`usual` says what a command leaves out; `use` takes what is captured from now on."""
        self._given = dict(given)
        self._usual = usual
        self._seal = seal
        self._use = use
        self._registered: dict[bytes, Queue] | None = None
        """None until Redis was asked for the first time."""
        self._one_at_a_time = asyncio.Lock()

    async def load(self, admin: Connection) -> None:
        """Take what Redis keeps; later, when that is gone or changed, keep ours there again.

        Raises:
            BackendError: Redis refuses, or keeps what we cannot or should not read.
        """
        if self._registered is not None:
            await self.keep(admin)
            return
        text = await _stored(admin)
        try:
            registered = kept.decode(text, self._seal) if text is not None else {}
        except kept.KeptError as error:
            raise BackendError(str(error)) from None
        self._registered = registered
        self._tell()
        if registered:
            log.info("captured: %s", ", ".join(map(repr, registered)))
            await self.keep(admin)  # perhaps under another password

    async def keep(self, admin: Connection) -> None:
        """Store what is registered, if Redis has not got it; raises BackendError."""
        if not self._registered:
            return
        async with self._one_at_a_time:
            text = kept.encode(self._registered, self._seal)
            if await _stored(admin) != text:
                await admin.call("FUNCTION", "LOAD", "REPLACE", kept.source(self._registered, text))
                log.info("Redis keeps the registered captures again")

    async def serve(self, admin: Connection, argv: Command) -> bytes:
        """The reply to `RG.CAPTURE`, for whom Redis lets run scripts on any key.

        Raises:
            BackendError: Redis cannot be reached, or refuses to keep it; nothing has changed then.
        """
        words = [word.decode("utf-8", "surrogateescape") for word in argv[1:]]
        verb = words[0].upper() if words else ""
        try:
            if verb == "DUMP" and len(words) == 1:
                return encode_reply(self._dump())
            async with self._one_at_a_time:
                if verb == "REGISTER" and len(words) >= 2 and len(words) % 2 == 0:
                    await self._register(admin, argv[2], words[2:])
                elif verb == "UNREGISTER" and len(words) == 2:
                    await self._unregister(admin, argv[2])
                else:
                    raise CaptureRefusedError(_HELP)
        except CaptureRefusedError as error:
            return encode_error(f"ERR {error}")
        return b"+OK\r\n"

    async def _register(self, admin: Connection, prefix: bytes, options: list[str]) -> None:
        queue = self._queue(options)
        if queue.holds(prefix):
            raise CaptureRefusedError(
                f"this prefix has the queue's own keys ({queue.namespace}:…) in it, or is empty"
            )
        self._refuse_given(prefix)
        there = await _partitions(admin, queue)
        if "PARTITIONS" not in (name.upper() for name in options[::2]):
            if there is None:
                raise CaptureRefusedError(
                    f"no worker has prepared the queue {queue.namespace!r} yet: start one (python -m recipes.streams "
                    "worker), or say PARTITIONS"
                )
            queue = replace(queue, partitions=there)
        elif there not in (None, queue.partitions):
            raise CaptureRefusedError(f"the queue {queue.namespace!r} has {there} partitions")
        await self._change(admin, {**(self._registered or {}), prefix: queue})

    async def _unregister(self, admin: Connection, prefix: bytes) -> None:
        self._refuse_given(prefix)
        if prefix not in (self._registered or {}):
            raise CaptureRefusedError("no capture is registered for this prefix")
        left = {p: q for p, q in (self._registered or {}).items() if p != prefix}
        await self._change(admin, left)

    async def _change(self, admin: Connection, queues: dict[bytes, Queue]) -> None:
        """Keep it first: what is captured now is captured after a restart, too."""
        if queues:
            text = kept.encode(queues, self._seal)
            await admin.call("FUNCTION", "LOAD", "REPLACE", kept.source(queues, text))
        elif await _stored(admin) is not None:
            await admin.call("FUNCTION", "DELETE", kept.LIBRARY)
        self._registered = queues
        self._tell()

    def _tell(self) -> None:
        self._use(Captures({**(self._registered or {}), **self._given}))

    def _queue(self, options: list[str]) -> Queue:
        named: dict[str, str | int] = {}
        for name, value in zip(options[::2], options[1::2], strict=True):
            field = _OPTIONS.get(name.upper())
            if field is None:
                raise CaptureRefusedError(f"unknown option {name!r}. {_HELP}")
            if field != "namespace" and not (value.isdecimal() and value.isascii()):
                raise CaptureRefusedError(f"{name.upper()} needs a number, not {value!r}")
            named[field] = value if field == "namespace" else int(value)
        try:
            return replace(self._usual, **named).checked()  # type: ignore[arg-type]  # each is of its field's type
        except ValueError as error:
            raise CaptureRefusedError(str(error)) from None

    def _refuse_given(self, prefix: bytes) -> None:
        if prefix in self._given:
            raise CaptureRefusedError("this prefix was given as --capture: start minigears without")

    def _dump(self) -> list[list[bytes | int]]:
        rows: list[list[bytes | int]] = []
        for queues, source in (
            (self._given, b"--capture"),
            (self._registered or {}, b"RG.CAPTURE"),
        ):
            for prefix, queue in queues.items():
                about: dict[bytes, bytes | int] = {
                    b"prefix": prefix,
                    b"queue": queue.namespace.encode(),
                    b"partitions": queue.partitions,
                    b"entries": queue.max_entries,
                    b"bytes": queue.max_bytes,
                    b"from": source,
                }
                rows.append([word for pair in about.items() for word in pair])
        return rows


async def _stored(admin: Connection) -> str | None:
    text = description(await admin.call("FUNCTION", "LIST", "LIBRARYNAME", kept.LIBRARY))
    return None if text is None else text.decode("utf-8", "replace")


async def _partitions(admin: Connection, queue: Queue) -> int | None:
    """How many the worker says that there are; None if there was no worker."""
    try:
        said = await admin.call("HGET", queue.config, "partitions")
    except BackendError as error:
        raise CaptureRefusedError(f"{queue.namespace}:config cannot be read: {error}") from None
    return int(said) if said is not None and said.isdigit() else None

"""Sessions in Redis, kept as the source text of a function library.

A function library is not a key: `KEYS *` does not show it and `FLUSHALL` leaves it, and Redis saves
it in RDB and AOF and replicates it. `FUNCTION LOAD REPLACE` is atomic, so a half-written library
cannot be. The library's one function does nothing; the sessions are a comment in its source.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from minigears.functionlibrary import description
from minigears.seal import Seal

LIBRARY = "minigears"
FUNCTION = "minigears_sessions"
FORMAT = 1

_SOURCE = """#!lua name={library}
-- Sessions and registrations of minigears. Written by RG.* commands: do not edit.
redis.register_function{{
  function_name = '{function}',
  callback = function() return {count} end,
  description = '{digest}',
  flags = {{'no-writes'}},
}}
--[==[minigears-sessions format={format} sha256={digest}{seal}
{payload}
]==]
"""
_STORED = re.compile(
    rb"--\[==\[minigears-sessions format=(?P<format>\d+) sha256=(?P<digest>[0-9a-f]{64})"
    rb"(?: seal=(?P<seal>[0-9a-f]{32}))?\n"
    rb"(?P<payload>[A-Za-z0-9+/=]*)\n\]==\]"
)


_SEALED = b"library"


class StoreError(Exception):
    """The library `minigears` is not one that we can read, or should not. It is left as it is."""


class Calls(Protocol):
    """What the store needs of a connection."""

    def call(self, *words: str | bytes | int) -> Any:
        """Send one command and return its reply."""


def _ignore(digest: bytes | None) -> None:
    """Nobody wants to know."""


class SessionStore:
    """Session id -> opaque bytes, kept in Redis. It holds no state: Redis is the one truth.

    The bytes are pickles, which run code when they are loaded. So they bear a seal, if Redis has a password.
    """

    def __init__(self, conn: Calls, seal: Seal, note: Callable[[bytes | None], None] = _ignore):
        """`note` is told the digest of what is found, or stored: None when there is nothing."""
        self._conn = conn
        self._seal = seal
        self._note = note

    def load(self) -> dict[str, bytes]:
        """Every stored session, oldest first. Raises StoreError, or what the connection raises."""
        libraries = self._conn.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        if not libraries:
            self._note(None)
            return {}
        fields = libraries[0]
        source = dict(zip(fields[::2], fields[1::2], strict=True))[b"library_code"]
        sessions = decode(source, self._seal)
        self._note(_digest(source))
        return sessions

    def digest(self) -> bytes | None:
        """The digest that the library shows, without its text; raises what the connection raises."""
        return description(self._conn.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY))

    def put(self, session_id: str, data: bytes) -> None:
        """Store one session; one that exists keeps its place. Raises as `update` does."""
        self.update({session_id: data})

    def remove(self, session_id: str) -> None:
        """Forget one session; one that is not stored is no error. Raises as `update` does."""
        self.update({}, [session_id])

    def update(self, put: Mapping[str, bytes], remove: Iterable[str] = ()) -> None:
        """Remove some sessions and store others, all at once.

        Raises StoreError, and then changes nothing, when what is stored cannot be read; else what
        the connection raises.
        """
        stored = self.load()
        changed = {key: data for key, data in stored.items() if key not in set(remove)}
        changed.update(put)
        if changed != stored:
            self.replace(changed)

    def replace(self, sessions: Mapping[str, bytes]) -> None:
        """Store these sessions, whatever is stored; raises what the connection raises."""
        if not sessions:
            self._conn.call("FUNCTION", "DELETE", LIBRARY)
            self._note(None)
            return
        source = encode(sessions, self._seal)
        self._conn.call("FUNCTION", "LOAD", "REPLACE", source)
        self._note(_digest(source))


def encode(sessions: Mapping[str, bytes], seal: Seal) -> bytes:
    """The source of the library that holds `sessions`."""
    packed = _packed(sessions)
    return _SOURCE.format(
        library=LIBRARY,
        function=FUNCTION,
        count=len(sessions),
        format=FORMAT,
        digest=hashlib.sha256(packed).hexdigest(),
        seal="" if seal.keyless else f" seal={seal.code([_SEALED, packed]).decode()}",
        payload=base64.b64encode(packed).decode(),
    ).encode()


def _digest(source: bytes) -> bytes:
    found = _STORED.search(source)
    return found["digest"] if found else b""


def _packed(sessions: Mapping[str, bytes]) -> bytes:
    index = json.dumps([[key, len(data)] for key, data in sessions.items()]).encode()
    return zlib.compress(index + b"\n" + b"".join(sessions.values()))


def decode(source: bytes, seal: Seal) -> dict[str, bytes]:
    """The sessions in a library's source. Raises StoreError if it is foreign, forged, newer or damaged."""
    found = _STORED.search(source)
    if found is None:
        raise StoreError(
            f"the Redis function library {LIBRARY!r} was not written by minigears; "
            f"keep what you need of it, then run FUNCTION DELETE {LIBRARY}"
        )
    version = int(found["format"])
    if version != FORMAT:
        raise StoreError(f"sessions are stored in format {version}; this minigears reads {FORMAT}")
    try:
        packed = base64.b64decode(found["payload"], validate=True)
    except binascii.Error as error:
        raise StoreError(f"stored sessions are damaged: {error}") from error
    if hashlib.sha256(packed).hexdigest().encode() != found["digest"]:
        raise StoreError("stored sessions are damaged: their checksum does not match")
    if not (seal.open or seal.fits(found["seal"] or b"", [_SEALED, packed])):
        raise StoreError(
            f"the Redis function library {LIBRARY!r} was not written by a minigears with the password of now. "
            "If that has changed, start once with the one before in MINIGEARS_PREVIOUS_PASSWORD (empty if "
            f"there was none). If not, somebody forged it: run FUNCTION DELETE {LIBRARY} and register again"
        )
    index, _, body = zlib.decompress(packed).partition(b"\n")
    return _split(json.loads(index), body)


def _split(index: list[tuple[str, int]], body: bytes) -> dict[str, bytes]:
    sessions = {}
    start = 0
    for key, size in index:
        sessions[key] = body[start : start + size]
        start += size
    return sessions

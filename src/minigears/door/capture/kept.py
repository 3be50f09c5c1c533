"""Captures that clients register, as they are kept in Redis. Pure.

As registrations are, in a function library: `KEYS *` does not show it and `FLUSHALL` leaves it, and Redis saves and
replicates it. Its one function does nothing; the captures are its description, with a seal if Redis has a password.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from minigears.door.capture.queue import Queue
from minigears.seal import Seal

LIBRARY = "minigears_captures"
_FORMAT = "1"
_SEALED = b"captures"
_UNSEALED = "-"
_SOURCE = """#!lua name={library}
-- Captures of minigears. Written by RG.CAPTURE: do not edit.
redis.register_function{{
  function_name = '{library}',
  callback = function() return {count} end,
  description = '{text}',
  flags = {{'no-writes'}},
}}
"""


class KeptError(Exception):
    """The library is not one that we can read, or should not."""


def source(queues: Mapping[bytes, Queue], text: str) -> str:
    """The library that keeps these; `text` is theirs."""
    return _SOURCE.format(library=LIBRARY, count=len(queues), text=text)


def encode(queues: Mapping[bytes, Queue], seal: Seal) -> str:
    """Captures as text."""
    rows = [
        [prefix.hex(), queue.namespace, queue.partitions, queue.max_entries, queue.max_bytes]
        for prefix, queue in queues.items()
    ]
    payload = base64.b64encode(json.dumps(rows).encode())
    code = _UNSEALED if seal.keyless else seal.code([_SEALED, payload]).decode()
    return f"{_FORMAT} {code} {payload.decode()}"


def decode(text: str, seal: Seal) -> dict[bytes, Queue]:
    """The captures in a text; raises KeptError if it is foreign, forged or newer."""
    mend = f"look at it, run FUNCTION DELETE {LIBRARY}, and register the captures again"
    version, _, rest = text.partition(" ")
    code, _, payload = rest.partition(" ")
    if version != _FORMAT:
        raise KeptError(f"the function library {LIBRARY!r} is not of this minigears: {mend}")
    if not (seal.open or seal.fits(code.encode(), [_SEALED, payload.encode()])):
        raise KeptError(
            f"the function library {LIBRARY!r} was not written by a minigears with the password of now. If that has "
            f"changed, start once with the one before in MINIGEARS_PREVIOUS_PASSWORD. If not, it is forged: {mend}"
        )
    try:
        rows = json.loads(base64.b64decode(payload, validate=True))
        return {bytes.fromhex(prefix): Queue(*about) for prefix, *about in rows}
    except (ValueError, TypeError) as error:
        raise KeptError(f"the function library {LIBRARY!r} is damaged ({error}): {mend}") from error

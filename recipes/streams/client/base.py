"""What both clients share: everything that sends nothing. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..core.documents import check_key, encode, encode_value, etag_of
from ..core.errors import Refused
from ..core.library import RedisClient
from ..core.names import Partitions
from .calls import Call, Limits, Outcome, Written
from .parcels import Lanes

_MOST_SECONDS = 1e12
"""To live: 30,000 years, and what a sorted set holds without rounding."""


class Client:
    """What both clients share: everything that sends nothing."""

    def __init__(
        self,
        redis: RedisClient,
        partitions: Partitions | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.redis = redis
        self.partitions = partitions or Partitions()
        self.limits = limits or Limits()
        self.lanes = Lanes()
        self.json = True
        self._ready = False

    def call(self, command: str, key: str, *arguments: Any, etag: str = "") -> Call:
        """A captured command, to be run."""
        check_key(key)
        return Call(key, self.partitions.of(key), command, arguments, etag)

    def _set(self, key: str, document: Any, etag: str) -> Call:
        words = ("$", encode(document)) if self.json else (encode(document),)
        return self.call("JSON.SET" if self.json else "SET", key, *words, etag=etag)

    def _merge(self, key: str, patch: Any) -> Call:
        return self._json("JSON.MERGE", key, "$", encode(patch))

    def _json(self, command: str, key: str, *arguments: Any) -> Call:
        if not self.json:
            raise Refused(
                f"{command}: this server has no RedisJSON; say update(key, function) instead"
            )
        return self.call(command, key, *arguments)

    def _set_path(self, key: str, path: str, value: Any) -> Call:
        if path in ("$", "."):
            return self._set(key, value, "")
        return self._json("JSON.SET", key, path, encode_value(value))

    def _append(self, key: str, path: str, values: Sequence[Any]) -> Call:
        return self._json("JSON.ARRAPPEND", key, path, *map(encode_value, values))

    def _expire(self, key: str, seconds: float) -> Call:
        if not isinstance(seconds, (int, float)) or not abs(seconds) < _MOST_SECONDS:
            raise Refused(f"{key}: a document lives for so many seconds, not {seconds!r}")
        if seconds <= 0:
            return self.call("DEL", key)
        return self.call("PEXPIRE", key, int(seconds * 1000))


def raised(outcome: Outcome) -> Written:
    """What was written; raises what was not."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def loaded(text: Any) -> tuple[Any, str]:
    """A document and its digest, from its text in Redis."""
    text = text.decode() if isinstance(text, bytes) else text
    return (None if text is None else json.loads(text)), etag_of(text)


def numbers(reply: Any) -> list[Any]:
    """New values of numbers, as RESP2 or RESP3 tells them."""
    return listed(json.loads(reply) if isinstance(reply, (str, bytes)) else reply)


def listed(reply: Any) -> list[Any]:
    """A reply that may be one or several."""
    return reply if isinstance(reply, list) else [reply]

"""The client for applications: plain methods, each write captured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from . import library
from .calls import Call, Install, Lanes, Limits, Outcome, Send, Sleep, Written, attempts
from .documents import check_key, encode, etag_of
from .errors import Conflict
from .library import RedisClient
from .names import Partitions


class WriteBehind:
    """Documents in Redis, each change queued for the system of record in the same step.

    `redis` is a redis-py client of a single Redis or of a cluster. `partitions` and `namespace`
    have to be those of the workers. Methods raise `QueueFull` when there was no room until
    `limits.wait` seconds had passed, `Refused` when Redis would not have the write; nothing has
    changed then. A connection that stays lost raises redis-py's error: the write may be in.
    """

    def __init__(
        self,
        redis: RedisClient,
        partitions: Partitions | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.redis = redis
        self.partitions = partitions or Partitions()
        self.limits = limits or Limits()
        self.json = True
        self._lanes = Lanes()
        self._ready = False

    # -- reading

    def get(self, key: str) -> Any:
        """The document, or None."""
        return self.get_with_etag(key)[0]

    def get_with_etag(self, key: str) -> tuple[Any, str]:
        """The document and what `if_match` takes."""
        self.prepare()
        text = self.redis.execute_command("JSON.GET" if self.json else "GET", key)
        text = text.decode() if isinstance(text, bytes) else text
        if text is not None and not isinstance(text, str):  # redis-py has decoded it
            raise TypeError("give WriteBehind a client whose JSON.GET was not given a callback")
        return (None if text is None else json.loads(text)), etag_of(text)

    # -- writing

    def set(self, key: str, document: Any, if_match: str = "") -> str:
        """Write the whole document; returns the entry's stream id.

        With `if_match` (from `get_with_etag`) only if it has not changed since: else Conflict.
        """
        return self._write(self._set(key, document, if_match)).stream_id or ""

    def delete(self, *keys: str) -> int:
        """Delete documents, an entry each; returns how many Redis had."""
        outcomes = self.run([self.call("DEL", key) for key in keys])
        return sum(int(_raised(outcome).reply) for outcome in outcomes)

    def merge(self, key: str, patch: Any) -> str:
        """Merge a patch into the document (RFC 7396: null removes a field)."""
        return self._write(self.call("JSON.MERGE", key, "$", encode(patch))).stream_id or ""

    def set_path(self, key: str, path: str, value: Any) -> str | None:
        """Set what a JSONPath points at; returns None if it points at nothing."""
        return self._write(self.call("JSON.SET", key, path, json.dumps(value))).stream_id

    def increment(self, key: str, path: str, by: int | float = 1) -> list[Any]:
        """Add to the numbers that a JSONPath points at; returns the new ones."""
        reply: Any = self._write(self.call("JSON.NUMINCRBY", key, path, by)).reply
        found = json.loads(reply) if isinstance(reply, (str, bytes)) else reply
        return found if isinstance(found, list) else [found]

    def append(self, key: str, path: str, *values: Any) -> list[Any]:
        """Append to the arrays that a JSONPath points at; returns their new lengths."""
        words = [json.dumps(value) for value in values]
        reply = self._write(self.call("JSON.ARRAPPEND", key, path, *words)).reply
        return reply if isinstance(reply, list) else [reply]

    def update(self, key: str, change: Callable[[Any], Any], tries: int = 20) -> str:
        """Read, change and write a document until nobody came between: no update is lost."""
        for _ in range(tries):
            document, etag = self.get_with_etag(key)
            try:
                return self.set(key, change(document), if_match=etag)
            except Conflict:
                continue
        raise Conflict(f"{key}: others were quicker {tries} times")

    def call(self, command: str, key: str, *arguments: Any, etag: str = "") -> Call:
        """A captured command, to be run."""
        check_key(key)
        return Call(key, self.partitions.of(key), command, arguments, etag)

    def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Run calls in one round trip, in order; returns what came of each, errors included."""
        self.prepare()
        calls = list(calls)
        for call in calls:
            call.lane = self._lanes.take()
        steps = attempts(calls, self.limits, time.monotonic)
        try:
            step = next(steps)
            while True:
                replies: list[Any] | None = None
                if isinstance(step, Send):
                    replies = self._send(step.calls)
                elif isinstance(step, Sleep):
                    time.sleep(step.seconds)
                elif isinstance(step, Install):
                    self._ready = False
                    self.prepare()
                step = steps.send(replies)
        except StopIteration as end:
            outcomes: list[Outcome] = end.value
            return outcomes
        finally:
            for call in calls:
                self._lanes.give(call.lane)

    def prepare(self) -> None:
        """Load the library if it is missing or older, and check the number of partitions.

        Raises Misconfigured. Done once by itself, and again when the library has gone.
        """
        if self._ready:
            return
        prepare(self.redis, self.partitions)
        self.json = "JSON.SET" in ask_features(self.redis, ("JSON.SET",))
        self._ready = True

    def _set(self, key: str, document: Any, etag: str) -> Call:
        self.prepare()
        words = ("$", encode(document)) if self.json else (encode(document),)
        return self.call("JSON.SET" if self.json else "SET", key, *words, etag=etag)

    def _write(self, call: Call) -> Written:
        return _raised(self.run([call])[0])

    def _send(self, calls: list[Call]) -> list[Any]:
        try:
            if len(calls) == 1:
                return [self.redis.execute_command(*calls[0].words(self.limits))]
            pipe = self.redis.pipeline(transaction=False)
            for call in calls:
                pipe.execute_command(*call.words(self.limits))
            replies: list[Any] = pipe.execute(raise_on_error=False)
            return replies
        except RedisError as error:
            return [error] * len(calls)


def _raised(outcome: Outcome) -> Written:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def prepare(redis: RedisClient, partitions: Partitions) -> None:
    """Load the library where it is missing or older; store or check the number of partitions."""
    try:
        reply: Any = redis.execute_command("FCALL", "wb_version", 0)
    except ResponseError as error:
        reply = error
    if library.must_load(reply):
        redis.execute_command("FUNCTION LOAD", "REPLACE", library.SOURCE)
    redis.execute_command("HSETNX", partitions.config, "partitions", partitions.count)
    library.agree(redis.execute_command("HGET", partitions.config, "partitions"), partitions)


def ask_features(redis: RedisClient, names: tuple[str, ...]) -> frozenset[str]:
    """Which of these commands the server has."""
    return frozenset(
        name
        for name in names
        if library.features(redis.execute_command("COMMAND INFO", name), (name,))
    )

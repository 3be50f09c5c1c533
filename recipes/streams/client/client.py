"""The client for applications: plain methods, each write captured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from ..core import library
from ..core.errors import REDIS_ERRORS, Conflict
from ..core.library import RedisClient
from ..core.names import Partitions
from .attempts import Install, Outcomes, Send, Sleep, attempts, clear, pause
from .base import Client, listed, loaded, numbers, raised
from .calls import Call, Outcome, Written, written_of
from .parcels import Parcel, packed


class WriteBehind(Client):
    """Documents in Redis, each change queued for the system of record in the same step.

    `redis` is a redis-py client of a single Redis or of a cluster. `partitions` and `namespace`
    have to be those of the workers. Methods raise `QueueFull` when there was no room until
    `limits.wait` seconds had passed, `Refused` when Redis would not have the write; nothing has
    changed then. A connection that stays lost raises redis-py's error: the write may be in.
    """

    def get(self, key: str) -> Any:
        """The document, or None."""
        return self.get_with_etag(key)[0]

    def get_with_etag(self, key: str) -> tuple[Any, str]:
        """The document and what `if_match` takes."""
        self.prepare()
        try:
            return loaded(library.call(self.redis, "FCALL", "wb_get", 1, key))
        except ResponseError as error:
            self._ready = library.is_there(error)
        self.prepare()
        return loaded(library.call(self.redis, "FCALL", "wb_get", 1, key))

    def set(self, key: str, document: Any, if_match: str = "") -> str:
        """Write the whole document; returns the entry's stream id.

        With `if_match` (from `get_with_etag`) only if it has not changed since: else Conflict.
        """
        self.prepare()
        return self._one(self._set(key, document, if_match)).stream_id or ""

    def delete(self, *keys: str) -> int:
        """Delete documents, an entry each; returns how many Redis had."""
        outcomes = self.run([self.call("DEL", key) for key in keys])
        return sum(int(raised(outcome).reply) for outcome in outcomes)

    def merge(self, key: str, patch: Any) -> str:
        """Merge a patch into the document (RFC 7396: null removes a field)."""
        self.prepare()
        return self._one(self._merge(key, patch)).stream_id or ""

    def set_path(self, key: str, path: str, value: Any) -> str | None:
        """Set what a JSONPath points at; returns None if it points at nothing."""
        self.prepare()
        return self._one(self._set_path(key, path, value)).stream_id

    def increment(self, key: str, path: str, by: int | float = 1) -> list[Any]:
        """Add to the numbers that a JSONPath points at; returns the new ones."""
        self.prepare()
        return numbers(self._one(self._json("JSON.NUMINCRBY", key, path, by)).reply)

    def append(self, key: str, path: str, *values: Any) -> list[Any]:
        """Append to the arrays that a JSONPath points at; returns their new lengths."""
        self.prepare()
        return listed(self._one(self._append(key, path, values)).reply)

    def expire(self, key: str, seconds: float) -> bool:
        """Let a worker delete the document, in both stores, after so many seconds."""
        return bool(self._one(self._expire(key, seconds)).reply)

    def persist(self, key: str) -> bool:
        """Take an expiry back; returns whether there was one."""
        return bool(self._one(self.call("PERSIST", key)).reply)

    def update(self, key: str, change: Callable[[Any], Any], tries: int = 20) -> str:
        """Read, change and write a document until nobody came between: no update is lost.

        `change` gets the document, or None, and returns the new one. Raises Conflict.
        """
        for number in range(tries):
            document, etag = self.get_with_etag(key)
            try:
                return self.set(key, change(document), if_match=etag)
            except Conflict:
                time.sleep(pause(number, self.limits))
        raise Conflict(f"{key}: others were quicker {tries} times")

    def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Run calls in one round trip, in the order of each key; returns what came of each, errors included."""
        self.prepare()
        outcomes = self.deliver(packed(calls, self.lanes))
        return [outcomes[call] for call in calls]

    def deliver(self, parcels: list[Parcel], first: list[Any] | None = None) -> Outcomes:
        """Send parcels until each of their calls is done or refused.

        `first` holds the replies to a first try that somebody else has made.
        """
        steps = attempts(parcels, self.lanes, self.limits, time.monotonic, first)
        try:
            step = next(steps)
            while True:
                replies: list[Any] | None = None
                if isinstance(step, Send):
                    replies = self._send(step.parcels)
                elif isinstance(step, Sleep):
                    time.sleep(step.seconds)
                elif isinstance(step, Install):
                    self._ready = False
                    self.prepare()
                step = steps.send(replies)
        except StopIteration as end:
            outcomes: Outcomes = end.value
            return outcomes
        finally:
            steps.close()

    def prepare(self) -> None:
        """Load the library if it is missing or older, and check the number of partitions.

        Raises Misconfigured. Done once by itself, and again when the library has gone.
        """
        if self._ready:
            return
        try:
            prepare(self.redis, self.partitions)
            self.json = bool(ask_features(self.redis, ("JSON.SET",)))
        except REDIS_ERRORS as error:
            raise clear(error) from error
        self._ready = True

    def _one(self, call: Call) -> Written:
        """Run one call; the usual case, an answer at once, without ceremony."""
        self.prepare()
        parcel = self.lanes.parcel(call)
        try:
            reply = library.call(self.redis, *parcel.words(self.limits))
        except REDIS_ERRORS as error:
            return raised(self.deliver([parcel], [error])[call])
        except BaseException:  # a time limit from outside: it may be in, and nobody asks
            self.lanes.give([parcel.lane])
            raise
        self.lanes.give([parcel.lane])
        return written_of(reply)

    def _send(self, parcels: list[Parcel]) -> list[Any]:
        try:
            if len(parcels) == 1:
                return [library.call(self.redis, *parcels[0].words(self.limits))]
            pipe = self.redis.pipeline(transaction=False)
            for parcel in parcels:
                library.call(self.redis, *parcel.words(self.limits), through=pipe)
            replies: list[Any] = pipe.execute(raise_on_error=False)
            return replies
        except REDIS_ERRORS as error:
            return [error] * len(parcels)


def prepare(redis: RedisClient, partitions: Partitions) -> None:
    """Load the library where it is missing or older; store or check the number of partitions."""
    library.check_encoding(redis)
    for at in library.everywhere(redis):
        try:
            reply: Any = redis.execute_command("FCALL", "wb_version", 0, **at)
        except ResponseError as error:
            reply = error
        if library.must_load(reply):
            redis.execute_command("FUNCTION LOAD", "REPLACE", library.SOURCE, **at)
        library.check_policy(redis.execute_command("FCALL", "wb_policy", 0, **at))
    agree(redis, partitions)


def agree(redis: RedisClient, partitions: Partitions) -> None:
    """Store or check the number of partitions. Raises Misconfigured."""
    if (stored := redis.execute_command("HGET", partitions.config, "partitions")) is None:
        redis.execute_command("HSETNX", partitions.config, "partitions", partitions.count)
        stored = redis.execute_command("HGET", partitions.config, "partitions")
    library.agree(stored, partitions)


def ask_features(redis: RedisClient, names: tuple[str, ...]) -> frozenset[str]:
    """Which of these commands the server has."""
    at = library.everywhere(redis)[0]
    asked = [(name, redis.execute_command("COMMAND INFO", name, **at)) for name in names]
    return frozenset(name for name, reply in asked if library.features(reply, (name,)))

"""The clients for applications: plain methods, each write captured. Sync and asyncio."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ConnectionError, RedisClusterException, RedisError, ResponseError

from . import library
from .calls import Call, Install, Lanes, Limits, Outcome, Send, Sleep, Written, attempts, written_of
from .documents import check_key, encode, etag_of
from .errors import Conflict, Refused
from .library import RedisClient
from .names import Partitions


class _Client:
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
        return self._json("JSON.SET", key, path, json.dumps(value, allow_nan=False))

    def _append(self, key: str, path: str, values: Sequence[Any]) -> Call:
        words = [json.dumps(value, allow_nan=False) for value in values]
        return self._json("JSON.ARRAPPEND", key, path, *words)

    def _expire(self, key: str, seconds: float) -> Call:
        if seconds <= 0:
            return self.call("DEL", key)
        return self.call("PEXPIRE", key, int(seconds * 1000))


class WriteBehind(_Client):
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
            return _loaded(self.redis.execute_command("FCALL", "wb_get", 1, key))
        except ResponseError as error:
            self._ready = library.is_there(error)
        self.prepare()
        return _loaded(self.redis.execute_command("FCALL", "wb_get", 1, key))

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
        return _numbers(self._one(self._json("JSON.NUMINCRBY", key, path, by)).reply)

    def append(self, key: str, path: str, *values: Any) -> list[Any]:
        """Append to the arrays that a JSONPath points at; returns their new lengths."""
        self.prepare()
        return _listed(self._one(self._append(key, path, values)).reply)

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
        for _ in range(tries):
            document, etag = self.get_with_etag(key)
            try:
                return self.set(key, change(document), if_match=etag)
            except Conflict:
                continue
        raise Conflict(f"{key}: others were quicker {tries} times")

    def run(self, calls: Sequence[Call], first: list[Any] | None = None) -> list[Outcome]:
        """Run calls in one round trip, in order; returns what came of each, errors included.

        `first` holds the replies to a first try that somebody else has made, with lanes taken.
        """
        self.prepare()
        calls = list(calls)
        if first is None:
            self.lanes.number(calls)
        steps = attempts(calls, self.limits, time.monotonic)
        step = next(steps)
        try:
            while True:
                replies: list[Any] | None = None
                if isinstance(step, Send):
                    replies, first = first or self._send(step.calls), None
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
            self.lanes.give(calls)

    def prepare(self) -> None:
        """Load the library if it is missing or older, and check the number of partitions.

        Raises Misconfigured. Done once by itself, and again when the library has gone.
        """
        if not self._ready:
            prepare(self.redis, self.partitions)
            self.json = bool(ask_features(self.redis, ("JSON.SET",)))
            self._ready = True

    def _one(self, call: Call) -> Written:
        """Run one call; the usual case, an answer at once, without ceremony."""
        self.prepare()
        self.lanes.number([call])
        try:
            written = written_of(self.redis.execute_command(*call.words(self.limits)))
        except (RedisError, RedisClusterException) as error:
            return raised(self.run([call], first=[error])[0])
        self.lanes.give([call])
        return written

    def _send(self, calls: list[Call]) -> list[Any]:
        try:
            if len(calls) == 1:
                return [self.redis.execute_command(*calls[0].words(self.limits))]
            pipe = self.redis.pipeline(transaction=False)
            for call in calls:
                pipe.execute_command(*call.words(self.limits))
            replies: list[Any] = pipe.execute(raise_on_error=False)
            return replies
        except (RedisError, RedisClusterException) as error:
            return [error] * len(calls)


class AsyncWriteBehind(_Client):
    """`WriteBehind` for asyncio: `redis` is a client of `redis.asyncio`."""

    async def get(self, key: str) -> Any:
        """As `WriteBehind.get`."""
        return (await self.get_with_etag(key))[0]

    async def get_with_etag(self, key: str) -> tuple[Any, str]:
        """As `WriteBehind.get_with_etag`."""
        await self.prepare()
        try:
            return _loaded(await self.redis.execute_command("FCALL", "wb_get", 1, key))
        except ResponseError as error:
            self._ready = library.is_there(error)
        await self.prepare()
        return _loaded(await self.redis.execute_command("FCALL", "wb_get", 1, key))

    async def set(self, key: str, document: Any, if_match: str = "") -> str:
        """As `WriteBehind.set`."""
        await self.prepare()
        return (await self._one(self._set(key, document, if_match))).stream_id or ""

    async def delete(self, *keys: str) -> int:
        """As `WriteBehind.delete`."""
        outcomes = await self.run([self.call("DEL", key) for key in keys])
        return sum(int(raised(outcome).reply) for outcome in outcomes)

    async def merge(self, key: str, patch: Any) -> str:
        """As `WriteBehind.merge`."""
        await self.prepare()
        return (await self._one(self._merge(key, patch))).stream_id or ""

    async def set_path(self, key: str, path: str, value: Any) -> str | None:
        """As `WriteBehind.set_path`."""
        await self.prepare()
        return (await self._one(self._set_path(key, path, value))).stream_id

    async def increment(self, key: str, path: str, by: int | float = 1) -> list[Any]:
        """As `WriteBehind.increment`."""
        await self.prepare()
        return _numbers((await self._one(self._json("JSON.NUMINCRBY", key, path, by))).reply)

    async def append(self, key: str, path: str, *values: Any) -> list[Any]:
        """As `WriteBehind.append`."""
        await self.prepare()
        return _listed((await self._one(self._append(key, path, values))).reply)

    async def expire(self, key: str, seconds: float) -> bool:
        """As `WriteBehind.expire`."""
        return bool((await self._one(self._expire(key, seconds))).reply)

    async def persist(self, key: str) -> bool:
        """As `WriteBehind.persist`."""
        return bool((await self._one(self.call("PERSIST", key))).reply)

    async def update(self, key: str, change: Callable[[Any], Any], tries: int = 20) -> str:
        """As `WriteBehind.update`."""
        for _ in range(tries):
            document, etag = await self.get_with_etag(key)
            try:
                return await self.set(key, change(document), if_match=etag)
            except Conflict:
                continue
        raise Conflict(f"{key}: others were quicker {tries} times")

    async def run(self, calls: Sequence[Call], first: list[Any] | None = None) -> list[Outcome]:
        """As `WriteBehind.run`."""
        await self.prepare()
        calls = list(calls)
        if first is None:
            self.lanes.number(calls)
        steps = attempts(calls, self.limits, time.monotonic)
        step = next(steps)
        try:
            while True:
                replies: list[Any] | None = None
                if isinstance(step, Send):
                    replies, first = first or await self._send(step.calls), None
                elif isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Install):
                    self._ready = False
                    await self.prepare()
                step = steps.send(replies)
        except StopIteration as end:
            outcomes: list[Outcome] = end.value
            return outcomes
        finally:
            self.lanes.give(calls)

    async def prepare(self) -> None:
        """As `WriteBehind.prepare`."""
        if self._ready:
            return
        if hasattr(self.redis, "get_primaries"):
            await getattr(self.redis, "initialize")()  # noqa: B009  # a cluster learns its nodes
        for at in library.everywhere(self.redis):
            try:
                reply: Any = await self.redis.execute_command("FCALL", "wb_version", 0, **at)
            except ResponseError as error:
                reply = error
            if library.must_load(reply):
                await self.redis.execute_command("FUNCTION LOAD", "REPLACE", library.SOURCE, **at)
            library.check_policy(await self.redis.execute_command("FCALL", "wb_policy", 0, **at))
        config = self.partitions.config
        if (stored := await self.redis.execute_command("HGET", config, "partitions")) is None:
            await self.redis.execute_command("HSETNX", config, "partitions", self.partitions.count)
            stored = await self.redis.execute_command("HGET", config, "partitions")
        library.agree(stored, self.partitions)
        at = library.everywhere(self.redis)[0]
        info = await self.redis.execute_command("COMMAND INFO", "JSON.SET", **at)
        self.json = bool(library.features(info, ("JSON.SET",)))
        self._ready = True

    async def _one(self, call: Call) -> Written:
        await self.prepare()
        self.lanes.number([call])
        try:
            reply = await self.redis.execute_command(*call.words(self.limits))
        except (RedisError, RedisClusterException) as error:
            return raised((await self.run([call], first=[error]))[0])
        except RuntimeError as error:
            lost = lost_loop(self.redis, error)
            return raised((await self.run([call], first=[lost]))[0])
        self.lanes.give([call])
        return written_of(reply)

    async def _send(self, calls: list[Call]) -> list[Any]:
        try:
            if len(calls) == 1:
                return [await self.redis.execute_command(*calls[0].words(self.limits))]
            pipe = self.redis.pipeline(transaction=False)
            for call in calls:
                pipe.execute_command(*call.words(self.limits))
            replies: list[Any] = await pipe.execute(raise_on_error=False)
            return replies
        except (RedisError, RedisClusterException) as error:
            return [error] * len(calls)
        except RuntimeError as error:  # the same number goes out again, so it applies once
            return [lost_loop(self.redis, error)] * len(calls)


def raised(outcome: Outcome) -> Written:
    """What was written; raises what was not."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def lost_loop(redis: Any, error: RuntimeError) -> ConnectionError:
    """What to raise for "Event loop is closed": its connections are of no use in this loop.

    Redis OM would put a plain client in the place of ours if it saw that error, and capture would
    end without a word.
    """
    if "Event loop is closed" not in str(error) and "different loop" not in str(error):
        raise error
    redis.connection_pool.reset()
    return ConnectionError("the connection belonged to an event loop that has ended")


def prepare(redis: RedisClient, partitions: Partitions) -> None:
    """Load the library where it is missing or older; store or check the number of partitions."""
    for at in library.everywhere(redis):
        try:
            reply: Any = redis.execute_command("FCALL", "wb_version", 0, **at)
        except ResponseError as error:
            reply = error
        if library.must_load(reply):
            redis.execute_command("FUNCTION LOAD", "REPLACE", library.SOURCE, **at)
        library.check_policy(redis.execute_command("FCALL", "wb_policy", 0, **at))
    if (stored := redis.execute_command("HGET", partitions.config, "partitions")) is None:
        redis.execute_command("HSETNX", partitions.config, "partitions", partitions.count)
        stored = redis.execute_command("HGET", partitions.config, "partitions")
    library.agree(stored, partitions)


def ask_features(redis: RedisClient, names: tuple[str, ...]) -> frozenset[str]:
    """Which of these commands the server has."""
    at = library.everywhere(redis)[0]
    asked = [(name, redis.execute_command("COMMAND INFO", name, **at)) for name in names]
    return frozenset(name for name, reply in asked if library.features(reply, (name,)))


def _loaded(text: Any) -> tuple[Any, str]:
    text = text.decode() if isinstance(text, bytes) else text
    return (None if text is None else json.loads(text)), etag_of(text)


def _numbers(reply: Any) -> list[Any]:
    return _listed(json.loads(reply) if isinstance(reply, (str, bytes)) else reply)


def _listed(reply: Any) -> list[Any]:
    return reply if isinstance(reply, list) else [reply]

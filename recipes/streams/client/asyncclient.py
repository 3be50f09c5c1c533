"""The client for applications on asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ConnectionError, ResponseError

from ..core import library
from ..core.errors import REDIS_ERRORS, Conflict
from .attempts import Install, Outcomes, Send, Sleep, attempts, clear, pause
from .base import Client, listed, loaded, numbers, raised
from .calls import Call, Outcome, Written, written_of
from .parcels import Parcel, packed


class AsyncWriteBehind(Client):
    """`WriteBehind` for asyncio: `redis` is a client of `redis.asyncio`."""

    _preparing: asyncio.Task[None] | None = None

    async def get(self, key: str) -> Any:
        """As `WriteBehind.get`."""
        return (await self.get_with_etag(key))[0]

    async def get_with_etag(self, key: str) -> tuple[Any, str]:
        """As `WriteBehind.get_with_etag`."""
        await self.prepare()
        try:
            return loaded(await library.call(self.redis, "FCALL", "wb_get", 1, key))
        except ResponseError as error:
            self._ready = library.is_there(error)
        await self.prepare()
        return loaded(await library.call(self.redis, "FCALL", "wb_get", 1, key))

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
        return numbers((await self._one(self._json("JSON.NUMINCRBY", key, path, by))).reply)

    async def append(self, key: str, path: str, *values: Any) -> list[Any]:
        """As `WriteBehind.append`."""
        await self.prepare()
        return listed((await self._one(self._append(key, path, values))).reply)

    async def expire(self, key: str, seconds: float) -> bool:
        """As `WriteBehind.expire`."""
        return bool((await self._one(self._expire(key, seconds))).reply)

    async def persist(self, key: str) -> bool:
        """As `WriteBehind.persist`."""
        return bool((await self._one(self.call("PERSIST", key))).reply)

    async def update(self, key: str, change: Callable[[Any], Any], tries: int = 20) -> str:
        """As `WriteBehind.update`."""
        for number in range(tries):
            document, etag = await self.get_with_etag(key)
            try:
                return await self.set(key, change(document), if_match=etag)
            except Conflict:
                await asyncio.sleep(pause(number, self.limits))
        raise Conflict(f"{key}: others were quicker {tries} times")

    async def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """As `WriteBehind.run`."""
        await self.prepare()
        outcomes = await self.deliver(packed(calls, self.lanes))
        return [outcomes[call] for call in calls]

    async def deliver(self, parcels: list[Parcel], first: list[Any] | None = None) -> Outcomes:
        """As `WriteBehind.deliver`."""
        steps = attempts(parcels, self.lanes, self.limits, time.monotonic, first)
        try:
            step = next(steps)
            while True:
                replies: list[Any] | None = None
                if isinstance(step, Send):
                    replies = await self._send(step.parcels)
                elif isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Install):
                    self._ready = False
                    await self.prepare()
                step = steps.send(replies)
        except StopIteration as end:
            outcomes: Outcomes = end.value
            return outcomes
        finally:
            steps.close()

    async def prepare(self) -> None:
        """As `WriteBehind.prepare`. However many ask at once, one task does it: a pool may be small."""
        if self._ready:
            return
        loop, task = asyncio.get_running_loop(), self._preparing
        if task is None or task.done() or task.get_loop() is not loop:
            task = self._preparing = loop.create_task(self._prepare())
        try:
            await asyncio.shield(task)
        except REDIS_ERRORS as error:
            raise clear(error) from error
        self._ready = True

    async def _prepare(self) -> None:
        library.check_encoding(self.redis)
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

    async def _one(self, call: Call) -> Written:
        await self.prepare()
        parcel = self.lanes.parcel(call)
        try:
            reply = await library.call(self.redis, *parcel.words(self.limits))
        except REDIS_ERRORS as error:
            return raised((await self.deliver([parcel], [error]))[call])
        except RuntimeError as error:
            lost = lost_loop(self.redis, error)
            return raised((await self.deliver([parcel], [lost]))[call])
        except BaseException:  # cancelled: it may be in, and nobody asks
            self.lanes.give([parcel.lane])
            raise
        self.lanes.give([parcel.lane])
        return written_of(reply)

    async def _send(self, parcels: list[Parcel]) -> list[Any]:
        try:
            if len(parcels) == 1:
                return [await library.call(self.redis, *parcels[0].words(self.limits))]
            pipe = self.redis.pipeline(transaction=False)
            for parcel in parcels:
                library.call(self.redis, *parcel.words(self.limits), through=pipe)
            replies: list[Any] = await pipe.execute(raise_on_error=False)
            return replies
        except REDIS_ERRORS as error:
            return [error] * len(parcels)
        except RuntimeError as error:  # the same number goes out again, so it applies once
            return [lost_loop(self.redis, error)] * len(parcels)


def lost_loop(redis: Any, error: RuntimeError) -> ConnectionError:
    """What to raise for "Event loop is closed": its connections are of no use in this loop.

    Redis OM would put a plain client in the place of ours if it saw that error, and capture would
    end without a word.
    """
    if "Event loop is closed" not in str(error) and "different loop" not in str(error):
        raise error
    redis.connection_pool.reset()
    return ConnectionError("the connection belonged to an event loop that has ended")

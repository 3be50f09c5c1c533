"""A `redis.Redis` whose writes are captured, for code that is not to change: Redis OM, above all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ConnectionError, TimeoutError

from ..core.errors import NotCaptured
from ..core.names import Partitions
from .asyncclient import AsyncWriteBehind, lost_loop
from .calls import Limits
from .client import WriteBehind
from .queued import Capture, Queued, checked, native

_OURS = ("prefixes", "partitions", "limits")
_LOST = (ConnectionError, TimeoutError)


class _Groups:
    """redis-py's groups of commands whose own `pipeline()` would go past the capturing client."""

    def json(self, *args: Any, **options: Any) -> Any:
        """The commands of RedisJSON, captured."""
        return _without_pipeline(super().json(*args, **options))  # type: ignore[misc]

    def ft(self, *args: Any, **options: Any) -> Any:
        """The commands of RediSearch."""
        return _without_pipeline(super().ft(*args, **options))  # type: ignore[misc]

    def ts(self, *args: Any, **options: Any) -> Any:
        """The commands of RedisTimeSeries."""
        return _without_pipeline(super().ts(*args, **options))  # type: ignore[misc]


def _without_pipeline(group: Any) -> Any:
    def pipeline(*_: Any, **__: Any) -> Any:
        raise NotCaptured(
            "this pipeline would not be captured: say client.pipeline().json() or .ft()"
        )

    group.pipeline = pipeline
    return group


class CapturingRedis(_Groups, redis.Redis):  # type: ignore[type-arg,unused-ignore]
    """A client of one Redis whose changes of keys under `prefixes` are captured.

    JSON.SET, MERGE, DEL, NUMINCRBY, …, DEL, UNLINK, EXPIRE and RENAME go through the function
    library, in pipelines, too. Any other command that would write such a key raises NotCaptured.
    As Redis OM's `Meta.database` it captures `save()`, `update()`, `delete()` and what `Model.add`
    and pipelines do.
    """

    def __init__(
        self,
        *args: Any,
        prefixes: Sequence[str] = (),
        partitions: Partitions | None = None,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        plain = redis.Redis(connection_pool=self.connection_pool)
        self.write_behind = WriteBehind(plain, partitions, limits)
        self._capture = Capture(prefixes, self.write_behind.partitions)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Any:
        """A client for a URL; takes what the constructor takes."""
        ours = {name: options.pop(name) for name in _OURS if name in options}
        client: Any = cls(connection_pool=redis.ConnectionPool.from_url(url, **options), **ours)
        client.auto_close_connection_pool = True
        return client

    def client(self) -> CapturingRedis:
        """A client with one connection of the same pool for what is not captured."""
        found: CapturingRedis = _single(self)
        return found

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command, captured where it changes a captured key."""
        plainly: Callable[..., Any] = super().execute_command
        plan = _prepared(self).plan(args)
        if plan is None:
            return plainly(*args, **options)
        if plan.read:
            return plan.combine([plainly(*plan.read)])
        outcomes: list[Any] = list(self.write_behind.run(plan.calls))
        if plan.rest:
            outcomes.append(plainly(*plan.rest))
        return native(self, plan, outcomes, options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> CapturingPipeline:
        """A pipeline whose writes are captured."""
        pipe = CapturingPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        pipe.write_behind, pipe._capture = self.write_behind, _prepared(self)
        return pipe


class CapturingPipeline(redis.client.Pipeline):  # type: ignore[type-arg,unused-ignore]
    """A pipeline, transactions with WATCH included, whose writes are captured.

    A write that was refused for lack of room is tried again after the pipeline, in order.
    """

    write_behind: WriteBehind
    _capture: Capture

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send what is queued; as redis-py's, and writes wait for room."""
        queued = Queued(self._capture, self.command_stack)
        if not queued.changed:
            return super().execute(raise_on_error)
        self.write_behind.prepare()
        self.command_stack = queued.stack(self.write_behind.limits, self.write_behind.lanes)
        alone = len(queued.parcels) == len(self.command_stack) and not self.watching
        try:
            replies = super().execute(raise_on_error=False)
        except BaseException as error:
            if not (alone and isinstance(error, _LOST)):
                queued.give_up(self.write_behind.lanes)
                raise
            replies = [error] * len(queued.parcels)
        outcomes = self.write_behind.deliver(queued.parcels, queued.first(replies))
        return checked(queued.results(self, outcomes, replies), raise_on_error)

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A command under WATCH, before MULTI."""
        plainly: Callable[..., Any] = super().immediate_execute_command
        plan = self._capture.plan(args)
        if plan is None:
            return plainly(*args, **options)
        if plan.read:
            return plan.combine([plainly(*plan.read)])
        return native(self, plan, list(self.write_behind.run(plan.calls)), options)


class AsyncCapturingRedis(_Groups, redis.asyncio.Redis):  # type: ignore[type-arg,unused-ignore]
    """`CapturingRedis` for asyncio."""

    def __init__(
        self,
        *args: Any,
        prefixes: Sequence[str] = (),
        partitions: Partitions | None = None,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        plain = redis.asyncio.Redis(connection_pool=self.connection_pool)
        self.write_behind = AsyncWriteBehind(plain, partitions, limits)
        self._capture = Capture(prefixes, self.write_behind.partitions)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Any:
        """A client for a URL; takes what the constructor takes."""
        ours = {name: options.pop(name) for name in _OURS if name in options}
        client: Any = cls(
            connection_pool=redis.asyncio.ConnectionPool.from_url(url, **options), **ours
        )
        client.auto_close_connection_pool = True
        return client

    def client(self) -> AsyncCapturingRedis:
        """As `CapturingRedis.client`."""
        found: AsyncCapturingRedis = _single(self)
        return found

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command, captured where it changes a captured key."""
        plainly = partial(_in_this_loop, self, super().execute_command)
        if not self._capture.table.commands:
            self._capture.learn(await plainly("COMMAND"))
        plan = self._capture.plan(args)
        if plan is None:
            return await plainly(*args, **options)
        if plan.read:
            return plan.combine([await plainly(*plan.read)])
        outcomes: list[Any] = list(await self.write_behind.run(plan.calls))
        if plan.rest:
            outcomes.append(await plainly(*plan.rest))
        return native(self, plan, outcomes, options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> AsyncCapturingPipeline:
        """A pipeline whose writes are captured."""
        pipe = AsyncCapturingPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        pipe.write_behind, pipe._capture = self.write_behind, self._capture
        return pipe


class AsyncCapturingPipeline(redis.asyncio.client.Pipeline):  # type: ignore[type-arg,unused-ignore]
    """`CapturingPipeline` for asyncio."""

    write_behind: AsyncWriteBehind
    _capture: Capture

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send what is queued; as redis-py's, and writes wait for room."""
        if not self._capture.table.commands:
            self._capture.learn(await self.write_behind.redis.execute_command("COMMAND"))
        queued = Queued(self._capture, self.command_stack)
        if not queued.changed:
            done: list[Any] = await super().execute(raise_on_error)
            return done
        await self.write_behind.prepare()
        self.command_stack = queued.stack(self.write_behind.limits, self.write_behind.lanes)
        alone = len(queued.parcels) == len(self.command_stack) and not self.watching
        try:
            replies = await super().execute(raise_on_error=False)
        except BaseException as error:
            lost = lost_loop(self, error) if isinstance(error, RuntimeError) else error
            if not (alone and isinstance(lost, _LOST)):
                queued.give_up(self.write_behind.lanes)
                raise lost from error
            replies = [lost] * len(queued.parcels)
        outcomes = await self.write_behind.deliver(queued.parcels, queued.first(replies))
        return checked(queued.results(self, outcomes, replies), raise_on_error)

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A command under WATCH, before MULTI."""
        if not self._capture.table.commands:
            self._capture.learn(await self.write_behind.redis.execute_command("COMMAND"))
        plainly: Callable[..., Any] = super().immediate_execute_command
        plan = self._capture.plan(args)
        if plan is None:
            return await plainly(*args, **options)
        if plan.read:
            return plan.combine([await plainly(*plan.read)])
        return native(self, plan, list(await self.write_behind.run(plan.calls)), options)


def _single(client: Any) -> Any:
    ours = client.write_behind
    return type(client)(
        connection_pool=client.connection_pool,
        single_connection_client=True,
        prefixes=client._capture.translator.prefixes,
        partitions=ours.partitions,
        limits=ours.limits,
    )


def _prepared(client: CapturingRedis) -> Capture:
    if not client._capture.table.commands:
        client._capture.learn(client.write_behind.redis.execute_command("COMMAND"))
    return client._capture


async def _in_this_loop(client: Any, send: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Send a command that may be sent again: a connection of an ended event loop sends nothing."""
    try:
        return await send(*args, **options)
    except RuntimeError as error:
        lost_loop(client, error)
    return await send(*args, **options)

"""Connections of all kinds, and what happens to them in the middle of a captured write."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as redis_py
import redis.asyncio as redis_async
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from recipes.streams import (
    AsyncCapturingRedis,
    AsyncWriteBehind,
    CapturingRedis,
    Partitions,
    WriteBehind,
)
from tests.freeports import free_ports
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.writing import KEY, entries, numbers
from tests.recipes.twelve.world.gate import Gate

ONE = Partitions(1)
COUNT = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRedis]:
    [port] = free_ports(1)
    server = PlainRedis(tmp_path_factory.mktemp("redis"), "--port", str(port))
    server.port = port  # type: ignore[attr-defined]
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture
def redis(server: PlainRedis) -> redis_py.Redis:
    client = server.client()
    client.flushall()
    return client


@pytest.fixture
def gate(server: PlainRedis, redis: redis_py.Redis) -> Iterator[Gate]:
    WriteBehind(redis, ONE).prepare()
    gate = Gate(server.port)  # type: ignore[attr-defined]
    yield gate
    gate.refuse()


KINDS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "text": {"decode_responses": True},
    "RESP2": {"protocol": 2},
    "RESP3": {"protocol": 3},
    "no retries of its own": {"retry": Retry(ConstantBackoff(0), 0)},
    "retries of its own": {"retry": Retry(ConstantBackoff(0.001), 5)},
    "one connection": {"max_connections": 1},
    "one connection, which is waited for": {"max_connections": 1, "blocking": True},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def pool(module: Any, port: int, options: dict[str, Any]) -> Any:
    kind = "BlockingConnectionPool" if options.get("blocking") else "ConnectionPool"
    kept = {name: value for name, value in options.items() if name != "blocking"}
    return getattr(module, kind)(host="127.0.0.1", port=port, **kept)


CUTS = (0, 1, 5, 20, 60)
"""After so many bytes of a reply: also exactly between two."""


def test_a_connection_cut_anywhere_in_a_reply_applies_once(
    gate: Gate, redis: redis_py.Redis, options: dict[str, Any]
) -> None:
    """One write, several in one call, and a pipeline of a capturing client."""
    here = pool(redis_py, gate.port, options)
    wb, n = WriteBehind(redis_py.Redis(connection_pool=here), ONE), 0
    capturing = CapturingRedis(connection_pool=here, prefixes=["Movie:"], partitions=ONE)
    capturing.delete("Movie:none")
    wb.set(KEY, {"n": 0})
    for after in CUTS:
        gate.cut_reply(after)
        wb.set(KEY, {"n": (n := n + 1)})
        gate.heal()
        gate.cut_reply(after)
        wb.run([wb._set(KEY, {"n": (n := n + 1)}, "") for _ in range(COUNT)])
        gate.heal()
        gate.cut_reply(after)
        with capturing.pipeline(transaction=False) as pipe:
            for _ in range(COUNT):
                pipe.delete("Movie:none")
            assert pipe.execute() == [0] * COUNT
        gate.heal()
        assert wb.get(KEY) == {"n": n}
    seen = WriteBehind(redis, ONE)
    assert numbers(seen) == list(range(n + 1))
    assert len(entries(seen)) == n + 2 + len(CUTS) * COUNT


def test_a_connection_cut_anywhere_in_a_reply_applies_once_in_asyncio(
    gate: Gate, redis: redis_py.Redis, options: dict[str, Any]
) -> None:
    async def work() -> int:
        client = redis_async.Redis(connection_pool=pool(redis_async, gate.port, options))
        wb, n = AsyncWriteBehind(client, ONE), 0
        await wb.set(KEY, {"n": 0})
        for after in CUTS:
            gate.cut_reply(after)
            await wb.set(KEY, {"n": (n := n + 1)})
            gate.heal()
            gate.cut_reply(after)
            await wb.run([wb._set(KEY, {"n": (n := n + 1)}, "") for _ in range(COUNT)])
            gate.heal()
            assert await wb.get(KEY) == {"n": n}
        await client.aclose()
        return n

    n = asyncio.run(work())
    assert numbers(WriteBehind(redis, ONE)) == list(range(n + 1))


def test_a_write_that_is_cancelled_leaves_its_reply_to_nobody(
    gate: Gate, redis: redis_py.Redis, options: dict[str, Any]
) -> None:
    """Whoever gets the connection next, or the lane, must not be answered with the old reply."""

    async def work() -> None:
        client = redis_async.Redis(connection_pool=pool(redis_async, gate.port, options))
        capturing = AsyncCapturingRedis(
            connection_pool=client.connection_pool, prefixes=["Movie:"], partitions=ONE
        )
        wb, loop = AsyncWriteBehind(client, ONE), asyncio.get_running_loop()
        await wb.set(KEY, {"n": 0})

        async def several() -> None:
            pipe = capturing.pipeline(transaction=False)
            for n in range(COUNT):
                pipe.delete(f"Movie:held{n}")
            await pipe.execute()

        writes: list[Callable[[], Any]] = [
            lambda: wb.set("Movie:held", {"n": 1}),
            lambda: wb.run([wb._set("Movie:held", {"n": n}, "") for n in range(COUNT)]),
            lambda: wb.delete("Movie:held"),
            several,
        ]
        for n, write in enumerate(writes, 1):
            with gate.hold(b"Movie:held", replies=True) as hold:
                task = asyncio.ensure_future(write())
                await loop.run_in_executor(None, hold.wait)
                await loop.run_in_executor(None, hold.answered.wait, 60)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                hold.release()
            for m in range(3):
                stream_id = await wb.set(KEY, {"n": 10 * n + m})
                assert await wb.get(KEY) == {"n": 10 * n + m}
                assert redis.xrange("wb:{p00}", stream_id, stream_id)[0][1][b"key"] == KEY.encode()
                assert await wb.delete("Movie:none") == 0
        await client.aclose()

    asyncio.run(work())
    assert redis.hlen("wb:{p00}:state") < 10  # no lane is left behind


class Late(BaseException):
    """What a time limit from outside raises, as gevent's and a signal's do."""


def test_a_write_that_a_signal_ends_leaves_its_reply_to_nobody(
    gate: Gate, redis: redis_py.Redis, options: dict[str, Any]
) -> None:
    wb = WriteBehind(redis_py.Redis(connection_pool=pool(redis_py, gate.port, options)), ONE)
    wb.set(KEY, {"n": 0})

    def late(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGUSR1, late)
    try:
        for write in (
            lambda: wb.set("Movie:held", {"n": 1}),
            lambda: wb.run([wb._set("Movie:held", {"n": n}, "") for n in range(COUNT)]),
        ):
            with gate.hold(b"Movie:held", replies=True) as hold:

                def interrupt(hold: Any = hold) -> None:
                    hold.answered.wait(60)
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

                thread = threading.Thread(target=interrupt)
                thread.start()
                with pytest.raises(Late):
                    write()
                thread.join()
                hold.release()
            for n in range(3):
                wb.set(KEY, {"n": n})
                assert wb.get(KEY) == {"n": n}
                assert wb.delete("Movie:none") == 0
    finally:
        signal.signal(signal.SIGUSR1, before)

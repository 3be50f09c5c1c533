"""Connections of all kinds, and what happens to them in the middle of a captured write."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
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
    Conflict,
    Limits,
    Misconfigured,
    Partitions,
    QueueFull,
    WriteBehind,
    connect,
)
from tests.freeports import free_ports
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.writing import KEY, entries
from tests.recipes.twelve.gate import Gate

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


def numbers(wb: WriteBehind) -> list[int]:
    """What was written, entry by entry; deletes left out."""
    return [json.loads(e[b"doc"])["n"] for e in entries(wb) if e[b"doc"]]


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


def test_more_tasks_than_connections(server: PlainRedis, redis: redis_py.Redis) -> None:
    """A pool that has none left is waited for, also by a client that has not asked anything yet."""

    async def work() -> None:
        client = redis_async.Redis.from_url(server.url, max_connections=2)
        wb = AsyncWriteBehind(client, ONE)
        await asyncio.gather(*(wb.set(f"Movie:{n}", {"n": n}) for n in range(200)))
        await client.aclose()

    asyncio.run(work())
    assert len(entries(WriteBehind(redis, ONE))) == 200


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_client_whose_texts_are_not_utf8_is_refused(
    server: PlainRedis, redis: redis_py.Redis, encoding: str
) -> None:
    """What it writes would be a dead letter: acknowledged, and in no database."""
    with pytest.raises(Misconfigured, match="UTF-8"):
        WriteBehind(server.client(encoding=encoding), ONE).set(KEY, {"title": "Amélie"})

    async def work() -> None:
        client = redis_async.Redis.from_url(server.url, encoding=encoding)
        await AsyncWriteBehind(client, ONE).set(KEY, {"title": "Amélie"})

    with pytest.raises(Misconfigured, match="UTF-8"):
        asyncio.run(work())
    assert not redis.exists(KEY)
    WriteBehind(server.client(encoding="UTF8"), ONE).set(KEY, {"title": "Amélie"})


def test_threads_share_a_client(server: PlainRedis, redis: redis_py.Redis) -> None:
    wb = WriteBehind(server.client(), ONE)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(50):
                assert wb.set(f"Movie:of {number}", {"n": n})
                assert wb.get(f"Movie:of {number}") == {"n": n}
                wb.update(KEY, lambda sums: {"n": (sums or {"n": 0})["n"] + 1})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert wb.get(KEY) == {"n": 16 * 50}
    assert len(entries(wb)) == 2 * 16 * 50


def test_a_forked_child_and_its_parent_write_at_once(
    server: PlainRedis, redis: redis_py.Redis
) -> None:
    """Connected before the fork, as with gunicorn's preload: neither reads the other's replies."""
    wb = WriteBehind(server.client(), ONE)
    wb.set(KEY, {"n": 0})

    def work(name: str) -> bool:
        for n in range(200):
            wb.set(f"Movie:{name}", {"n": n})
            if wb.get(f"Movie:{name}") != {"n": n}:
                return False
        return True

    children = []
    for name in ("a", "b"):
        if not (child := os.fork()):
            os._exit(0 if work(name) else 1)
        children.append(child)
    assert work("parent")
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert len(entries(wb)) == 601


def test_what_is_raised_and_told_goes_to_another_process() -> None:
    for told in (Partitions(3, "x"), Limits(entries=1), QueueFull("a"), Conflict("b")):
        assert repr(pickle.loads(pickle.dumps(told))) == repr(told)
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(WriteBehind(redis_py.Redis(), ONE))


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[tuple[str, list[PlainRedis]]]:
    """A master, its replica, and a sentinel that watches them: its URL, and the two."""
    ports = free_ports(3)
    servers = []
    for name, port in zip(("master", "replica"), ports, strict=False):
        (tmp_path / name).mkdir()
        server = PlainRedis(tmp_path / name, "--port", str(port), "--repl-diskless-sync-delay", "0")
        servers.append(server)
        server.start()
    servers[1].client().replicaof("127.0.0.1", ports[0])
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {ports[2]}\nsentinel monitor movies 127.0.0.1 {ports[0]} 1\n"
        "sentinel down-after-milliseconds movies 300\nsentinel failover-timeout movies 2000\n"
    )
    (tmp_path / "sentinel").mkdir()
    watching = PlainRedis(tmp_path / "sentinel", with_modules=())
    process = subprocess.Popen(
        [watching.program, str(config), "--sentinel", "--logfile", str(tmp_path / "sentinel.log")]
    )
    found = redis_py.Sentinel([("127.0.0.1", ports[2])])
    wait_for(lambda: replicas(found) == 1, 60, "the sentinel to know the replica")
    yield f"redis+sentinel://127.0.0.1:{ports[2]}/movies", servers
    process.kill()
    process.wait()
    for server in servers:
        server.stop(signal.SIGKILL)


def replicas(sentinel: Any) -> int:
    try:
        return len(sentinel.discover_slaves("movies"))
    except redis_py.RedisError:
        return 0


def test_a_failover_of_sentinel_is_waited_out(
    sentinels: tuple[str, list[PlainRedis]],
) -> None:
    url, (master, replica) = sentinels
    client: Any = connect(url)
    wb = WriteBehind(client, ONE, Limits(wait=60))
    wb.set(KEY, {"n": 0})
    assert client.wait(1, 5000) == 1
    master.kill()
    for n in range(1, 4):
        wb.set(KEY, {"n": n})
    assert WriteBehind(replica.client(), ONE).get(KEY) == {"n": 3}
    assert numbers(WriteBehind(replica.client(), ONE)) == [0, 1, 2, 3]


def test_a_url_of_sentinels_names_them_the_master_and_who_asks() -> None:
    client: Any = connect("redis+sentinel://app:p%40ss@one,two:26380/movies")
    pool = client.connection_pool
    assert pool.service_name == "movies"
    assert {n: pool.connection_kwargs[n] for n in ("username", "password")} == {
        "username": "app",
        "password": "p@ss",
    }
    found = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(at["host"], at["port"]) for at in found] == [("one", 26379), ("two", 26380)]
    with pytest.raises(Misconfigured, match="which master"):
        connect("redis+sentinel://one:26379")

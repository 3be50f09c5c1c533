"""Clients that tasks, threads and processes share."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading

import pytest
import redis as redis_py
import redis.asyncio as redis_async

from recipes.streams import (
    AsyncWriteBehind,
    Conflict,
    Limits,
    Misconfigured,
    Partitions,
    QueueFull,
    WriteBehind,
)
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.writing import KEY, entries

ONE = Partitions(1)


def test_more_tasks_than_connections(redis_server: PlainRedis, redis: redis_py.Redis) -> None:
    """A pool that has none left is waited for, also by a client that has not asked anything yet."""

    async def work() -> None:
        client = redis_async.Redis.from_url(redis_server.url, max_connections=2)
        wb = AsyncWriteBehind(client, ONE)
        await asyncio.gather(*(wb.set(f"Movie:{n}", {"n": n}) for n in range(200)))
        await client.aclose()

    asyncio.run(work())
    assert len(entries(WriteBehind(redis, ONE))) == 200


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_client_whose_texts_are_not_utf8_is_refused(
    redis_server: PlainRedis, redis: redis_py.Redis, encoding: str
) -> None:
    """What it writes would be a dead letter: acknowledged, and in no database."""
    with pytest.raises(Misconfigured, match="UTF-8"):
        WriteBehind(redis_server.client(encoding=encoding), ONE).set(KEY, {"title": "Amélie"})

    async def work() -> None:
        client = redis_async.Redis.from_url(redis_server.url, encoding=encoding)
        await AsyncWriteBehind(client, ONE).set(KEY, {"title": "Amélie"})

    with pytest.raises(Misconfigured, match="UTF-8"):
        asyncio.run(work())
    assert not redis.exists(KEY)
    WriteBehind(redis_server.client(encoding="UTF8"), ONE).set(KEY, {"title": "Amélie"})


def test_threads_share_a_client(redis_server: PlainRedis, redis: redis_py.Redis) -> None:
    wb = WriteBehind(redis_server.client(), ONE)
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
    redis_server: PlainRedis, redis: redis_py.Redis
) -> None:
    """Connected before the fork, as with gunicorn's preload: neither reads the other's replies."""
    wb = WriteBehind(redis_server.client(), ONE)
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

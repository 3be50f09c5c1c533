"""A Redis that answers, and takes no writes: waited out by worker and client, and nothing is lost."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from recipes.streams import Limits, Partitions, Sink, WriteBehind
from recipes.streams.core.errors import TakesNoWrites
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.working import Start
from tests.recipes.streams.writing import drained, letters


@contextmanager
def set_to(redis: Redis, name: str, value: object) -> Iterator[None]:
    before = redis.config_get(name)[name]
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, before)


@contextmanager
def replica(redis: Redis) -> Iterator[None]:
    redis.replicaof("127.0.0.1", "1")  # whose master nobody finds
    try:
        yield
    finally:
        redis.replicaof("NO", "ONE")


@contextmanager
def stale_replica(redis: Redis) -> Iterator[None]:
    with set_to(redis, "replica-serve-stale-data", "no"), replica(redis):
        yield


@contextmanager
def busy(redis: Redis) -> Iterator[None]:
    def script() -> None:
        with suppress(RedisError):
            redis.eval("while true do end", 0)

    def is_busy() -> bool:
        try:
            return not redis.ping()
        except RedisError as error:
            return "BUSY" in str(error)

    with set_to(redis, "busy-reply-threshold", 1):
        thread = threading.Thread(target=script)
        thread.start()
        wait_for(is_busy, 60)
        try:
            yield
        finally:
            redis.script_kill()
            thread.join(60)


TROUBLES = {
    "read only replica": replica,
    "read only replica|MASTER is down": stale_replica,
    "NOREPLICAS": lambda redis: set_to(redis, "min-replicas-to-write", 1),
    "BUSY": busy,
}


@pytest.mark.parametrize("said", TROUBLES)
def test_it_is_waited_out(
    said: str, wb: WriteBehind, mongo: Sink, start_worker: Start, redis: Redis
) -> None:
    worker = start_worker(mongo, attempts=1, longest_backoff=0.5)
    wb.set("Movie:1", {"n": 1})
    drained(wb)
    patient = WriteBehind(wb.redis, wb.partitions, Limits(wait=120))
    patient.prepare()
    writer = threading.Thread(target=patient.set, args=("Movie:2", {"n": 2}))
    with TROUBLES[said](redis):
        wait_for(lambda: re.search(said, worker.trouble()), 60, "the worker to say so")
        wb.limits = Limits(wait=0.1)
        with pytest.raises(TakesNoWrites, match=said):
            wb.set("Movie:1", {"n": "refused"})
        writer.start()
    writer.join(60)
    assert not writer.is_alive()
    drained(wb)
    assert wb.get("Movie:1") == {"n": 1}
    assert {s.key: s.document for s in mongo.scan()} == {"Movie:1": {"n": 1}, "Movie:2": {"n": 2}}
    assert letters(wb) == []
    wait_for(lambda: not worker.trouble(), 60)


def test_a_redis_that_loads_its_data_is_waited_for(tmp_path: Path) -> None:
    server = PlainRedis(tmp_path, "--save", "3600 1")
    server.start()
    wb = WriteBehind(server.client(), Partitions(2), Limits(wait=120))
    try:
        wb.set("Movie:1", {"n": 1})
        with server.client().pipeline() as pipe:
            for n in range(200):
                pipe.set(f"filler:{n}", "x" * 100)
            pipe.execute()
        server.client().save()
        server.kill()
        # Microseconds a key: the load takes four seconds at least, and a loaded machine only longer.
        server.options += [
            "--key-load-delay",
            "20000",
            "--loading-process-events-interval-bytes",
            "1024",
        ]
        starting = threading.Thread(target=server.start)
        starting.start()
        wait_for(lambda: loading(server), 60, "Redis to load")
        wb.set("Movie:1", {"n": 2})
        starting.join(60)
        assert wb.get("Movie:1") == {"n": 2}
        assert wb.redis.xlen(wb.partitions.of("Movie:1").stream) == 2
    finally:
        server.stop(signal.SIGKILL)


def loading(server: PlainRedis) -> bool:
    try:
        server.client(retry=None).ping()
    except BusyLoadingError:
        return True
    except RedisError:  # not yet there
        return False
    return True  # it was quicker than whoever looked: nothing has to be waited for

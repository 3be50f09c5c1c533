"""Redis, databases and workers for the tests of recipes/streams."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from redis import Redis

from lab.stack.databases import drop
from recipes.streams import (
    CapturingRedis,
    Metrics,
    Settings,
    Sink,
    Worker,
    WriteBehind,
    open_sink,
)
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer, PlainRedis, PostgresServer
from tests.recipes.streams.working import QUICK, ROUTES, Start, running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRedis]:
    server = PlainRedis(tmp_path_factory.mktemp("redis"), "--appendonly", "yes")
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path_factory.mktemp("mongo"), free_ports(1)[0])
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture
def redis(redis_server: PlainRedis) -> Redis:
    client = redis_server.client()
    client.flushall()
    client.function_flush()
    return client


@pytest.fixture
def wb(redis: Redis) -> WriteBehind:
    return WriteBehind(redis, QUICK.partitions)


@pytest.fixture
def mongo(mongo_server: MongoServer) -> Iterator[Sink]:
    with mongo_server.client() as client:
        drop(client, "test")
    sink = open_sink(f"{mongo_server.url}/test", ROUTES)
    yield sink
    sink.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("pg"))
    server.start()
    yield server
    server.stop(signal.SIGQUIT)


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Sink]:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("DROP TABLE IF EXISTS movies, people")
    sink = open_sink(postgres_server.url, ROUTES)
    yield sink
    sink.close()


@pytest.fixture(params=["mongo", "postgres"])
def sink(request: pytest.FixtureRequest) -> Sink:
    """Each system of record in turn."""
    found: Sink = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def capturing(redis: Redis, redis_server: PlainRedis) -> CapturingRedis:
    found: CapturingRedis = CapturingRedis.from_url(
        redis_server.url, prefixes=["Movie:"], partitions=QUICK.partitions
    )
    return found


@pytest.fixture
def start_worker(redis_server: PlainRedis) -> Iterator[Start]:
    """Starts workers in threads; all are stopped after the test."""
    with ExitStack() as stack:

        def start(
            sink: Sink,
            settings: Settings = QUICK,
            metrics: Metrics | None = None,
            **changes: object,
        ) -> Worker:
            told = replace(settings, **changes)  # type: ignore[arg-type]
            worker = Worker(redis_server.client(), sink, told, metrics or Metrics())
            return stack.enter_context(running(worker))

        yield start

"""A real redis-server for each test that asks for one, a minigears for the tests of a module."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.freeports import free_ports
from tests.minigears.realgears import SHARED_CACHE, MiniGears
from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import RedisServer, has_json, redis_program
from tests.programs import left_out


@pytest.fixture
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    """Starts redis-servers with the options given; all are stopped after the test."""
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp("redis"), *options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop(signal.SIGKILL)


@pytest.fixture
def needs_json() -> None:
    """For a test of JSON documents."""
    if not has_json():
        left_out(f"no RedisJSON that loads into {redis_program()}")


@pytest.fixture
def redis_server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    """A redis-server that saves nothing."""
    return start_redis("--save", "", "--appendonly", "no")


@pytest.fixture
def redis_conn(redis_server: RedisServer) -> Iterator[BlockingConnection]:
    """A connection to `redis_server`."""
    conn = redis_server.connect()
    yield conn
    conn.close()


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nothing listens on."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def shared_gears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    """A minigears with the repository's cache, so that requirements are installed once."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "", "--appendonly", "no")
    server.start()
    gears = MiniGears(server, tmp_path_factory.mktemp("gears"), "--cache", str(SHARED_CACHE))
    gears.start()
    yield gears
    assert gears.stop() == 0
    server.stop(signal.SIGKILL)


@pytest.fixture
def gears(shared_gears: MiniGears) -> MiniGears:
    """An empty Redis, and no registrations."""
    shared_gears.empty()
    return shared_gears


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A SecantusDB for the tests of a module."""
    server = MongoServer(tmp_path_factory.mktemp("mongo"), free_ports(1)[0])
    server.start()
    yield server
    server.stop(signal.SIGKILL)

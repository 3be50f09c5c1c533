"""A real redis-server for each test that asks for one."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from realredis import RedisServer

from minigears.executor.redisconn import Connection


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
def redis_server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    """A redis-server that saves nothing."""
    return start_redis("--save", "", "--appendonly", "no")


@pytest.fixture
def redis_conn(redis_server: RedisServer) -> Iterator[Connection]:
    """A connection to `redis_server`."""
    conn = redis_server.connect()
    yield conn
    conn.close()


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

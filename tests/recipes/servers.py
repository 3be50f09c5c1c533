"""Real servers for tests of recipes that need no RedisGears: Redis, SecantusDB, PostgreSQL."""

from __future__ import annotations

import signal

from redis import Redis

from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import RedisServer, has_json, wait_for

__all__ = ["MongoServer", "PlainRedis", "has_json", "wait_for"]


class PlainRedis(RedisServer):
    """A redis-server that a redis-py client reaches by its socket."""

    @property
    def url(self) -> str:
        """What `Redis.from_url` takes."""
        return f"unix://{self.socket}"

    def client(self, **options: object) -> Redis:
        """A redis-py client, which gets bytes."""
        return Redis.from_url(self.url, **options)  # type: ignore[no-any-return]

    def kill(self) -> None:
        """SIGKILL, as a crash does."""
        self.stop(signal.SIGKILL)

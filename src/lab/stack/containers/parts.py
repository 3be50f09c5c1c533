"""What the stack in containers consists of."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors

from lab.stack import ports
from lab.stack.embedded.services import SERVICES
from lab.stack.embedded.services.base import PATIENCE
from lab.stack.ports import LOOPBACK

REDIS_PORT = 6379
"""In the container, the port that answers RG.*."""

DIRECT_PORT = 6380
"""In the container, Redis's own port, where an image has minigears in front of it."""

MONGO_PORT = 27017
INSIGHT_PORT = 5540

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Fetches pages of this machine, whatever proxy the environment names."""

REPLICA_SET = "rs0"
"""The name of MongoDB's replica set of one member."""


@dataclass(frozen=True)
class Part:
    """One container: what it is called, where it listens, what it keeps."""

    name: str
    """What learners call it, its alias on the network, and the end of the container's name."""

    title: str
    """What it is called in tables and messages."""

    ports: Mapping[int, int]
    """Its TCP ports, and for each the port of this machine to try first."""

    data: tuple[str, ...]
    """The folders in the container that its image declares as volumes; the first holds its data.

    Each gets a volume with a name and a label. Docker would make one without either, that nobody
    finds again.
    """

    command: tuple[str, ...] = ()
    """Words for the image's entry point."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that it is given."""

    def ping(self, home: Path, ports: Mapping[int, int]) -> None:
        """Ask whether it is ready, at the mapped `ports`. Raises when it is not."""
        if self.name == "redis":
            SERVICES["minigears"].ping(home, ports[REDIS_PORT])
        elif self.name == "mongo":
            SERVICES["mongo"].ping(home, ports[MONGO_PORT])
            _have_primary(ports[MONGO_PORT])
        elif self.name == "redisinsight":
            health = f"http://{LOOPBACK}:{ports[INSIGHT_PORT]}/api/health/"
            with _DIRECTLY.open(health, timeout=PATIENCE):
                pass


def _have_primary(port: int) -> None:
    """Make a new MongoDB a replica set of one. Raises PyMongoError until it has a primary."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        LOOPBACK, port, directConnection=True
    )
    with client, pymongo.timeout(PATIENCE):
        hello = client.admin.command("hello")
        if (
            hello.get("isreplicaset") and "setName" not in hello
        ):  # started with --replSet, still empty
            member = {"_id": 0, "host": f"mongo:{MONGO_PORT}"}
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        if not hello.get("isWritablePrimary"):
            raise pymongo.errors.NotPrimaryError("it has no primary yet")


def parts() -> dict[str, Part]:
    """Return the parts by name, in the order of their start. LAB_REDISINSIGHT=1 adds RedisInsight."""
    first = {name: service.preferred_port for name, service in SERVICES.items()}
    wanted = [
        Part(
            "mongo",
            "MongoDB",
            {MONGO_PORT: first["mongo"]},
            ("/data/db", "/data/configdb"),
            ("--replSet", REPLICA_SET, "--bind_ip_all"),
        ),
        Part(
            "redis",
            "Redis with Gears",
            {REDIS_PORT: first["minigears"], DIRECT_PORT: first["redis"]},
            ("/data",),
            environment={
                "FAKETTY": "1"
            },  # redis-cli then prints its terminal look, also for `docker exec -i`
        ),
    ]
    if os.environ.get("LAB_REDISINSIGHT", "0") not in ("", "0"):
        named = {
            "RI_REDIS_HOST": "redis",
            "RI_REDIS_PORT": str(REDIS_PORT),
            "RI_REDIS_ALIAS": "write-behind",
        }
        port = ports.preferred("LAB_PORT_REDISINSIGHT", INSIGHT_PORT)
        wanted.append(
            Part(
                "redisinsight", "RedisInsight", {INSIGHT_PORT: port}, ("/data",), environment=named
            )
        )
    return {part.name: part for part in wanted}

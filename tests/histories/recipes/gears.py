"""Recipes that run inside minigears: rgsync as shipped, and the hardened recipe of this course."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from lab.stack.databases import drop
from tests.freeports import free_ports
from tests.histories.recipes.interface import Servers
from tests.histories.recipes.plainclient import plain_client
from tests.histories.recipes.reading import json_documents, sample_of
from tests.histories.verdict.history import DeadLetter, Document, Kind, Sample
from tests.histories.world.clients import Do
from tests.histories.world.parts import Database, World, clock_in, environment_with
from tests.histories.world.proxy import Proxy
from tests.histories.world.redisserver import RedisServer
from tests.histories.world.witness import MongoWitness
from tests.minigears.realgears import SHARED_CACHE, MiniGears
from tests.recipes.gears import families

_PLACE = ("dbSpeedMernDemo", "movies")


class Executor:
    """minigears's executor as a part: the door starts another one by itself."""

    def __init__(self, gears: MiniGears):
        self._gears = gears

    @property
    def process(self) -> Any:
        """The process, with what `parts` asks of it."""
        found = None
        with suppress(psutil.Error):  # the door is just ending
            found = self._gears.executor if self._gears.process else None
        if found is not None:
            found.poll = lambda: None
        return found

    def start(self) -> None:
        """Nothing to do."""

    def stop(self, how: int) -> None:
        """See `Part`."""
        with suppress(psutil.Error):
            if (found := self.process) is not None:
                found.send_signal(how)


class Door(MiniGears):
    """minigears's door as a part. Its executor has the same clock."""

    def __init__(self, redis: RedisServer, folder: Path, *options: str):
        super().__init__(redis, folder, "--cache", str(SHARED_CACHE), *options)
        self.clock = clock_in(folder, "door")
        self.environment = environment_with(self.clock)

    def start(self) -> None:
        """Start it, again and again while redis-server is away, as a service manager does."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return super().start()
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self, how: int = signal.SIGTERM) -> int:
        """See `Part`; its executor ends with it."""
        if self.process is None or self.process.poll() is not None:
            return 0
        if how == signal.SIGKILL:
            self.kill()
            return 0
        return super().stop()


class Gears(Servers):
    """See `Recipe`. Clients send once what they have found a door for: RedisGears has nothing that
    makes a retry harmless, but a PING is."""

    space = "MovieEntity:k"
    kinds = frozenset(set(Kind) - {Kind.EXPIRE, Kind.PERSIST})
    window = 0.0

    def __init__(self, name: str, script: str):
        self.name, self._script = name, script

    def open(self, folder: Path) -> None:
        """Start everything, and register the recipe."""
        self._stack = ExitStack()
        self._redis = RedisServer(folder)
        self._start(self._redis)
        self._mongo = Database(folder, free_ports(1)[0])
        self._start(self._mongo)
        self._door = Door(self._redis, folder)
        self._start(self._door)
        lines = {
            "clients to gears": Proxy(self._door.port),
            "recipe to database": Proxy(self._mongo.port),
        }
        for line in lines.values():
            self._stack.enter_context(line)
        parts = {"redis": self._redis, "database": self._mongo, "door": self._door}
        self.world = World({**parts, "executor": Executor(self._door)}, lines)
        self._register()

    def reset(self) -> None:
        """See `Recipe`."""
        super().reset()
        with self._door.client() as client:
            for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
                client.execute_command("RG.UNREGISTER", registration[1], "ABORTPENDING")
            client.flushall()
        with self._mongo.client() as mongo:
            drop(mongo, _PLACE[0])
        self._register()

    def _register(self) -> None:
        with self._mongo.client() as mongo:
            mongo[_PLACE[0]][_PLACE[1]].create_index("movieId", unique=True)
        port = self.world.lines["recipe to database"].port
        url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        with self._door.client() as client:
            client.execute_command("RG.CONFIGSET", families.URL_NAME, url)
            words = ["REQUIREMENTS", "rgsync==1.2.0", "pymongo==3.12.0"]
            client.execute_command("RG.PYEXECUTE", self._script, *words)

    def connect(self) -> Do:
        """Return a client that sends each request once."""
        port = self.world.lines["clients to gears"].port
        return plain_client(port, _identity, _without_id)

    def witness(self, prefix: str) -> MongoWitness:
        """See `Recipe`."""
        return MongoWitness(self._mongo.url, _PLACE, _meant, time.monotonic, prefix)

    def documents(self, prefix: str) -> dict[str, Document]:
        """See `Recipe`."""
        found = json_documents(self._redis, prefix)
        return {key: _without_id(document) for key, document in found.items()}

    def dead_letters(self, prefix: str) -> list[DeadLetter]:
        """See `Recipe`."""
        with self._redis.client(decode_responses=True) as redis:
            letters = [fields for _, fields in redis.xrange(families.DEAD_LETTERS)]
        return [
            DeadLetter(fields["_original_key"], json.loads(fields.get("redisgears", "{}")).get("a"))
            for fields in letters
            if fields["_original_key"].startswith(prefix)
        ]

    def sample(self) -> Sample:
        """See `Recipe`."""
        with self._redis.client(decode_responses=True) as redis:
            names = set(redis.scan_iter(match="_[mM]ovies*", count=1000, _type="stream"))
            return sample_of(redis, names - {families.DEAD_LETTERS})


def shipped() -> Gears:
    """Return rgsync 1.2.0 as its documentation uses it."""
    return Gears("rgsync", families.SHIPPED)


def hardened() -> Gears:
    """Return recipes/gears/movies_write_behind.py."""
    return Gears("gears", families.OURS)


def _identity(key: str) -> Document:
    """rgsync wants the id in the document; it is no news to the judge."""
    return {"movieId": key.partition(":")[2]}


def _without_id(document: Mapping[str, Any]) -> Document:
    own = ("movieId", "_id", "_v", "_deleted", "_at")
    return {name: value for name, value in document.items() if name not in own}


def _meant(stored: Mapping[str, Any]) -> tuple[str, Document | None]:
    key = f"MovieEntity:{stored['movieId']}"
    return key, None if stored.get("_deleted") else _without_id(stored)

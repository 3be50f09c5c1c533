"""recipes/streams on a system of record, with two workers: one works, the other waits to succeed it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from recipes.streams import Limits, Partitions, WriteBehind
from recipes.streams.core.errors import Refused as NothingDone
from recipes.streams.core.library import RedisClient
from tests.histories.recipes.interface import Servers
from tests.histories.recipes.reading import json_documents, sample_of
from tests.histories.recipes.stores import TABLE, Mongo, PostgreSQL, Store
from tests.histories.verdict.history import DeadLetter, Document, Kind, Sample
from tests.histories.world.clients import Do, Refused
from tests.histories.world.operations import Request
from tests.histories.world.parts import Part, Program, World, clock_in
from tests.histories.world.proxy import Proxy
from tests.histories.world.redisserver import WINDOWS, RedisServer
from tests.histories.world.witness import Witness


class Streams(Servers):
    """See `Recipe`."""

    space = "k"
    kinds = frozenset(Kind)
    partitions = Partitions(2)
    program = "recipes.streams"

    def __init__(self, name: str, store: Callable[[Path], Store], fsync: str = "always"):
        self.name, self._make, self._fsync = name, store, fsync
        self.window = WINDOWS[fsync]

    def open(self, folder: Path) -> None:
        """Start everything, with a line to the database."""
        self._stack = ExitStack()
        servers, lines, url = self._serve(folder)
        self._store = self._make(folder)
        self._start(self._store.part)
        self._store.prepare()
        lines["workers to database"] = Proxy(self._store.target)
        for line in lines.values():
            self._stack.enter_context(line)
        words = [sys.executable, "-m", self.program, "worker", "--redis", url()]
        words += ["--database", self._store.url(lines["workers to database"].port)]
        words += ["--route", f"k={TABLE}", "--partitions", str(self.partitions.count)]
        words += ["--lease", "1", "--batch-wait", "0.02", "--batch-entries", "20"]
        workers = [
            Program(words, folder / f"worker-{n}.log", clock_in(folder, f"worker-{n}"))
            for n in (1, 2)
        ]
        for worker in workers:
            self._start(worker)
        parts = servers | {"database": self._store.part}
        self.world = World(
            parts | {f"worker {n}": worker for n, worker in enumerate(workers, 1)}, lines
        )

    def reset(self) -> None:
        """See `Recipe`. A run that is tried again has the keys that it had before."""
        super().reset()
        with self._ask() as redis:
            for partition in self.partitions.all():
                redis.delete(partition.stream)
                redis.delete(partition.due)
            for key in redis.scan_iter(match=f"{self.space}*", count=1000):
                redis.delete(key)
        self._store.empty()

    def _serve(self, folder: Path) -> tuple[dict[str, Part], dict[str, Proxy], Callable[[], str]]:
        """Start Redis; return its parts, the lines to it, and its URL for workers once they are up."""
        self._redis = RedisServer(folder, self._fsync)
        self._start(self._redis)
        line = Proxy(self._redis.socket)
        lines = {"clients to redis": Proxy(self._redis.socket), "workers to redis": line}
        parts: dict[str, Part] = {"redis": self._redis}
        return parts, lines, lambda: f"redis://127.0.0.1:{line.port}?socket_timeout=5"

    def connect(self) -> Do:
        """Return a client that gives up after some seconds, as an application would."""
        recipe = WriteBehind(self._client(), self.partitions, Limits(wait=3))

        def do(request: Request) -> Any:
            try:
                with self._acknowledged(recipe, request):
                    return _do(recipe, request)
            except NothingDone as error:
                raise Refused(str(error)) from error

        return do

    def _acknowledged(
        self, recipe: WriteBehind, request: Request
    ) -> AbstractContextManager[object]:
        """Around a request: raises where its answer alone acknowledges nothing."""
        return nullcontext()

    def _client(self) -> RedisClient:
        port = self.world.lines["clients to redis"].port
        return Redis(port=port, socket_timeout=2, socket_connect_timeout=2)

    def _ask(self) -> Any:
        """A client past every line, to be closed."""
        return self._redis.client(decode_responses=True)

    def witness(self, prefix: str) -> Witness:
        """See `Recipe`."""
        return self._store.witness(prefix)

    def documents(self, prefix: str) -> dict[str, Document]:
        """See `Recipe`."""
        return json_documents(self._redis, prefix)

    def dead_letters(self, prefix: str) -> list[DeadLetter]:
        """See `Recipe`."""
        letters = []
        with self._ask() as redis:
            for partition in self.partitions.all():
                for _, fields in redis.xrange(partition.dead):
                    document = json.loads(fields["doc"]) if fields["doc"] else {}
                    letters.append(DeadLetter(fields["key"], document.get("a")))
        return [letter for letter in letters if letter.key.startswith(prefix)]

    def sample(self) -> Sample:
        """See `Recipe`."""
        with self._ask() as redis:
            # What expires goes into the stream: so it is looked for there afterwards.
            due = sum(redis.zcard(partition.due) for partition in self.partitions.all())
            seen = sample_of(redis, [partition.stream for partition in self.partitions.all()])
        return replace(seen, expiring=due)


def _do(recipe: WriteBehind, request: Request) -> Any:
    key, value = request.key, request.value
    match request.kind:
        case Kind.READ:
            return recipe.get(key)
        case Kind.SET:
            recipe.set(key, value)
        case Kind.MERGE:
            recipe.merge(key, value)
        case Kind.PUT:
            [(field, to)] = value.items()
            if recipe.set_path(key, f"$.{field}", to) is None:
                raise Refused("there is no such document")
        case Kind.INCREMENT:
            for number in recipe.increment(key, "$.n", value):
                return number
            raise Refused("there is no such number")
        case Kind.DELETE:
            recipe.delete(key)
        case Kind.EXPIRE:
            if not recipe.expire(key, value):
                raise Refused("there is no such document")
        case Kind.PERSIST:
            if not recipe.persist(key):
                raise Refused("it does not expire")
        case Kind.RENAME:
            call = recipe.call("RENAME", key)
            call.other = (value, recipe.partitions.of(value))
            [outcome] = recipe.run([call])
            if isinstance(outcome, ResponseError) and "no such key" in str(outcome):
                raise Refused(str(outcome))
            if isinstance(outcome, Exception):
                raise outcome
    return None


def on_mongodb() -> Streams:
    """Return the recipe on MongoDB."""
    return Streams("streams", Mongo)


def on_mongodb_everysec() -> Streams:
    """Return the recipe on MongoDB, with a Redis that may lose a little."""
    return Streams("streams-everysec", Mongo, "everysec")


def on_postgresql() -> Streams:
    """Return the recipe on PostgreSQL."""
    return Streams("streams-postgresql", PostgreSQL)


def on_postgresql_everysec() -> Streams:
    """Return the recipe on PostgreSQL, with a Redis that may lose a little."""
    return Streams("streams-postgresql-everysec", PostgreSQL, "everysec")


class Forgetful(Streams):
    """Its versions do not go on from what the database has, once Redis was taken back."""

    program = "tests.histories.recipes.forgetful"


def on_mongodb_forgetful() -> Streams:
    """Return the control of the recipe on `everysec`."""
    return Forgetful("streams-everysec-forgetful", Mongo, "everysec")

"""rgsync 1.2.0 as shipped and the hardened Gears recipe, both in minigears in front of the same Redis."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from redis import RedisError, WatchError

from lab import paths
from tests.freeports import free_ports
from tests.recipes.gears.families import DEAD_LETTERS, OURS, SHIPPED, STREAM
from tests.recipes.twelve.interface import DeadLetter, Document, Producer, Recipe
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import DATABASE, Process

REQUIREMENTS = ("rgsync==1.2.0", "pymongo==3.12.0")
GEARS = paths.root() / "recipes" / "gears"
PREFIX, DIRTY = "MovieEntity:", "_movies-dirty-{06S}"


class GearsProducer(Producer):
    """Any Redis client, writing JSON."""

    prefix = PREFIX

    def __init__(self, redis: Any, patience: float):
        self.redis, self.patience = redis, patience

    def put(self, id: str, document: Document) -> None:
        self.put_text(id, json.dumps(document))

    def put_text(self, id: str, text: str) -> None:
        self._try("JSON.SET", self.prefix + id, "$", text)

    def put_many(self, documents: Iterable[Document]) -> None:
        everything = list(documents)
        for start in range(0, len(everything), 500):
            pipe = self.redis.pipeline(transaction=False)
            for d in everything[start : start + 500]:
                pipe.execute_command("JSON.SET", self.prefix + d["movieId"], "$", json.dumps(d))
            pipe.execute()

    def increment(self, id: str, field: str, by: int) -> None:
        """An ordinary client's way to try again: a key that says it was done, in one transaction."""
        once, deadline = f"once:{uuid.uuid4()}", time.monotonic() + self.patience
        while True:
            try:
                with self.redis.pipeline() as pipe:
                    pipe.watch(once)
                    if pipe.exists(once):
                        return
                    pipe.multi()
                    pipe.execute_command("JSON.NUMINCRBY", self.prefix + id, f"$.{field}", by)
                    pipe.set(once, 1, ex=3600)
                    pipe.execute()
                    return
            except (RedisError, WatchError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def remove(self, id: str, field: str) -> None:
        self._try("JSON.DEL", self.prefix + id, f"$.{field}")

    def delete(self, id: str) -> None:
        self._try("DEL", self.prefix + id)

    def put_durably(self, id: str, document: Document) -> None:
        self.put(id, document)
        assert self.redis.execute_command("WAITAOF", 1, 0, 20_000)[0] == 1

    def _try(self, *words: str) -> None:
        """Whole documents do no harm a second time."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                self.redis.execute_command(*words)
                return
            except RedisError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)


class Gears(Recipe):
    """What both have in common. minigears is both capture and worker, so there is one."""

    needs_json = True
    several_workers = False
    writes_need_worker = True
    script: ClassVar[str]

    def __init__(self, world: World):
        super().__init__(world)
        self.redis = world.redis.client(decode_responses=True)
        [self._port] = free_ports(1)
        self._registered = False

    def redis_port(self) -> int:
        return self._port

    def start_worker(self, version: int = 1) -> Process:
        words = [sys.executable, "-m", "minigears", "--listen", f"127.0.0.1:{self._port}"]
        words += ["--redis", f"redis://127.0.0.1:{self.world.redis.port}"]
        words += ["--cache", str(paths.root() / ".cache")]
        worker = self.world.start(words, says=f":{self._port}")
        if not self._registered:  # what is registered outlives minigears
            self.register(version)
            self._registered = True
        return worker

    def upgrade(self, worker: Process, version: int) -> Process:
        self.register(version)
        return worker

    def register(self, version: int) -> None:
        """Run the script, once: its reply may take long."""
        url = self.world.database_url("mongo").replace("?", "?serverSelectionTimeoutMS=1000&")
        with self.world.redis.client(self._port) as client:
            client.execute_command("RG.CONFIGSET", "mongoUrl", url)
            client.execute_command("RG.CONFIGSET", "mongoDatabase", DATABASE)
            client.execute_command("RG.CONFIGSET", "streamLimit", self.cap)
        self.run(self.script.replace("99.99.99", f"{version}.0.0"), *REQUIREMENTS)

    def run(self, script: str, *requirements: str) -> list[Any]:
        """`RG.PYEXECUTE`. Once: its reply may take long, and whoever asks twice runs it twice."""
        words = ["RG.PYEXECUTE", script, *(["REQUIREMENTS", *requirements] if requirements else [])]
        with self.world.redis.client(self._port, socket_timeout=None) as client:
            reply = client.execute_command(*words)
        return reply[0] if isinstance(reply, list) else []

    def producer(self, port: int | None = None, patience: float = 0.0) -> GearsProducer:
        return GearsProducer(self.world.redis.client(port or self._port), patience)

    def in_redis(self) -> dict[str, Document]:
        keys = list(self.redis.scan_iter(PREFIX + "*", count=1000, _type="ReJSON-RL"))
        found = self.redis.execute_command("JSON.MGET", *keys, ".") if keys else []
        return {
            key.removeprefix(PREFIX): json.loads(text)
            for key, text in zip(keys, found, strict=True)
            if text
        }

    def stored(self) -> dict[str, Document]:
        with self.world.server("mongo").client() as client:
            found = client[DATABASE][self.table].find({}, {"_id": 0, "_v": 0})
            return {str(d["movieId"]): d for d in found}

    def streams(self) -> list[str]:
        names = self.redis.scan_iter("_movies-stream-*", count=1000, _type="stream")
        return [name for name in names if "dead-letters" not in name]

    def depth(self) -> int:
        return sum(self.redis.xlen(name) for name in self.streams())

    def entries(self) -> list[tuple[str, dict[str, str]]]:
        return [(name, fields) for name in self.streams() for _, fields in self.redis.xrange(name)]

    def deliver(self, entry: tuple[str, dict[Any, Any]]) -> None:
        self.redis.xadd(*entry)

    def tamper(self, id: str, title: str | None) -> None:
        self.world.server("mongo").tamper(self.table, {"movieId": id}, title)


class RgsyncAsShipped(Gears):
    """rgsync's own classes, as the tutorial registers them."""

    name = "rgsync"
    title = "rgsync 1.2.0 as shipped"
    script = SHIPPED.replace("dbSpeedMernDemo", DATABASE)
    fails: ClassVar[Mapping[int, str]] = dict.fromkeys(range(1, 13), "")


class HardenedGears(Gears):
    """recipes/gears/movies_write_behind.py."""

    name = "gears"
    title = "Gears, hardened"
    script = OURS

    def register(self, version: int) -> None:
        super().register(version)
        self.script_of("movies_read.py", "pymongo==3.12.0")

    def script_of(self, name: str, *requirements: str) -> list[Any]:
        """Run one of the scripts beside the recipe; returns its results."""
        return self.run((GEARS / name).read_text(), *requirements)

    def read(self, id: str) -> Document | None:
        with self.world.redis.client(self._port) as client:
            found = client.execute_command("RG.TRIGGER", "ReadMovie", id)
        return json.loads(found[0]) if found else None

    def idle(self) -> bool:
        return self.depth() == 0 and not self.redis.exists(DIRTY)

    def dead_letters(self) -> list[DeadLetter]:
        return [
            DeadLetter(
                f["_original_key"].removeprefix(PREFIX),
                f.get("redisgears", ""),
                f["error"],
                int(f.get("attempts", 0)),
            )
            for _, f in self.redis.xrange(DEAD_LETTERS)
        ]

    def replay(self) -> None:
        self.script_of("movies_replay.py")

    def reconcile(self) -> None:
        with self.world.redis.client(self._port) as client:
            client.execute_command("RG.CONFIGSET", "reconcile", "repair")
        self.script_of("movies_reconcile.py", "pymongo==3.12.0")

    def metrics(self) -> Mapping[str, float]:
        lines = (line.decode().split() for line in self.script_of("movies_figures.py"))
        shown = {name.removeprefix("movies_"): float(value) for name, value in lines}
        return {"depth": shown["queue_entries"], **shown}

    def entries(self) -> list[tuple[str, dict[str, str]]]:
        def version(stream_id: str) -> str:
            return "-".join(part.zfill(20) for part in stream_id.split("-"))

        found = self.redis.xrange(STREAM)
        return [(STREAM, {"version": version(i), **fields}) for i, fields in found]

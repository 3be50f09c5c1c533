"""The smallest write-behind that stands up to the twelve: the base from which each control departs.

    python -m tests.recipes.twelve.contenders.small CLASS REDIS_PORT MONGO_URL VERSION

One stream, one group, one script for capture, one loop for the worker. It is here to be broken: a
control changes a few lines, and nothing else, so what fails is the fault of those lines. It has no
leases, no partitions and no metrics page of its own; recipes/streams is what to copy.
"""

from __future__ import annotations

import importlib
import json
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import bson
from pymongo import MongoClient, ReplaceOne, WriteConcern
from pymongo.errors import BulkWriteError, PyMongoError
from redis import Redis, RedisError

from tests.recipes.twelve.contenders.ids import version_of
from tests.recipes.twelve.interface import DeadLetter, Document, Producer, Recipe
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import DATABASE, Process

CAPTURE = """
local key, stream, once = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', once) == 1 then return 'OK' end
if redis.call('XLEN', stream) >= tonumber(ARGV[3]) then return redis.error_reply('FULL') end
local doc = ARGV[2]
if ARGV[1] == 'del' then redis.call('DEL', key) end
if ARGV[1] == 'add' then
  local old = cjson.decode(redis.call('GET', key))
  old[ARGV[2]] = old[ARGV[2]] + tonumber(ARGV[4])
  doc = cjson.encode(old)
end
if ARGV[1] ~= 'del' then redis.call('SET', key, doc) end
redis.call('SET', once, 1, 'EX', 3600)
redis.call('XADD', stream, '*', 'key', key, 'doc', doc)
return 'OK'
"""
PREFIX, GROUP = "Movie:", "writers"
BIG = 16 * 1024 * 1024


class SmallProducer(Producer):
    """Calls the script; tries again what has no reply, under the same number."""

    stream = "queue"

    def __init__(self, redis: Any, cap: int, patience: float, version: int):
        self.redis, self.cap, self.patience, self.version = redis, cap, patience, version

    def put(self, id: str, document: Document) -> None:
        self.put_text(id, json.dumps(document))

    def put_text(self, id: str, text: str) -> None:
        self.capture("set", id, text)

    def increment(self, id: str, field: str, by: int) -> None:
        self.capture("add", id, field, by)

    def remove(self, id: str, field: str) -> None:
        document = json.loads(self.redis.get(PREFIX + id))
        del document[field]
        self.put(id, document)

    def delete(self, id: str) -> None:
        self.capture("del", id, "")

    def put_durably(self, id: str, document: Document) -> None:
        self.put(id, document)
        assert self.redis.execute_command("WAITAOF", 1, 0, 20_000)[0] == 1

    def capture(self, what: str, id: str, text: str, by: int = 0) -> None:
        keys = (PREFIX + id, self.stream, f"once:{uuid.uuid4()}")
        deadline = time.monotonic() + self.patience
        while True:
            try:
                self.redis.eval(CAPTURE, 3, *keys, what, text, self.cap, by)
                return
            except RedisError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(random.uniform(0, 0.05))


class SmallWorker:
    """Reads, coalesces, writes, acknowledges."""

    stream, dead, batch = "queue", "queue:dead", 500
    outage: ClassVar[tuple[type[Exception], ...]] = (RedisError, PyMongoError)
    concern: ClassVar[dict[str, Any]] = {"w": "majority", "j": True}

    def __init__(self, redis: Any, url: str, version: int = 1):
        self.redis, self.url, self.version = redis, url, version
        self.consumer = (
            "writer"  # of the role, not of the process: who succeeds reads what is pending
        )
        self.stopping = threading.Event()
        self.after = "0"
        self.collection = self.connect()

    def connect(self) -> Any:
        client: MongoClient[Any] = MongoClient(self.url, serverSelectionTimeoutMS=500)
        database = client.get_default_database()
        return database.get_collection("movies", write_concern=WriteConcern(**self.concern))

    def run(self) -> None:
        wait = 0.1
        while not self.stopping.is_set():
            try:
                entries = self.read()
                letters = self.write(entries) if entries else []
                if entries:
                    self.acknowledge(entries, letters)
                wait = 0.1
            except self.outage:  # an outage: read again what is pending
                self.after = "0"
                self.pause(wait)
                wait = min(2 * wait, 5)

    def pause(self, wait: float) -> None:
        self.stopping.wait(random.uniform(0, wait))

    def read(self) -> list[Any]:
        try:
            self.redis.xgroup_create(self.stream, GROUP, "0", mkstream=True)
        except RedisError as error:
            if "BUSYGROUP" not in str(error):
                raise
        found = self.redis.xreadgroup(
            GROUP, self.consumer, {self.stream: self.after}, self.batch, block=100
        )
        entries = [(i, f) for _, entries in found for i, f in entries]
        if not entries and self.after != ">":
            self.after = ">"
        elif self.after != ">":
            self.after = entries[-1][0]
        return entries

    def write(self, entries: list[Any]) -> list[Any]:
        """Write the last entry of each key; returns what the database will never take."""
        latest: dict[str, Any] = {}
        for stream_id, fields in entries:
            version = fields.get("version") or version_of(stream_id)
            if version > latest.get(fields["key"], ("",))[0]:
                latest[fields["key"]] = (version, fields)
        good, letters = [], []
        for version, fields in latest.values():
            try:
                good.append((fields, self.operation(fields["key"], version, fields["doc"])))
            except Exception as error:
                letters.append((fields, version, repr(error)[:200]))
        try:
            if good:
                self.collection.bulk_write([operation for _, operation in good], ordered=False)
        except BulkWriteError as failure:
            for error in failure.details["writeErrors"]:
                if "_id_" in error["errmsg"] or list(error.get("keyPattern", [])) == ["_id"]:
                    continue  # the fence: a newer version is there
                fields = good[error["index"]][0]
                letters.append((fields, latest[fields["key"]][0], error["errmsg"]))
        return letters

    def operation(self, key: str, version: str, text: str) -> Any:
        document = json.loads(text) if text else {"_deleted": True}
        if not isinstance(document, dict) or "_id" in document:
            raise ValueError("not a JSON object, or with an _id")
        if len(bson.encode(document)) > BIG:
            raise ValueError("larger than 16 MB")
        document = {**document, "_id": key, "_v": version}
        return ReplaceOne({"_id": key, "_v": {"$lt": version}}, document, upsert=True)

    def acknowledge(self, entries: list[Any], letters: Iterable[Any] = ()) -> None:
        pipe = self.redis.pipeline()
        for fields, version, error in letters:
            pipe.xadd(self.dead, {**fields, "version": version, "error": error, "attempts": 1})
        ids = [stream_id for stream_id, _ in entries]
        pipe.xack(self.stream, GROUP, *ids).xdel(self.stream, *ids).execute()


class Small(Recipe):
    """The whole of it, as a recipe under test."""

    name = "small"
    title = "the base of the controls"
    prefix: ClassVar[str] = PREFIX
    Producer: ClassVar[type[SmallProducer]] = SmallProducer
    Worker: ClassVar[type[SmallWorker]] = SmallWorker

    def __init__(self, world: World):
        super().__init__(world)
        self.redis = world.redis.client(decode_responses=True)
        self.version = 1

    def start_worker(self, version: int = 1) -> Process:
        self.version = version
        words = [sys.executable, "-m", __name__, f"{type(self).__module__}:{type(self).__name__}"]
        words += [str(self.world.redis.port), self.world.database_url(self.database), str(version)]
        return self.world.start(words, says="started")

    def producer(self, port: int | None = None, patience: float = 0.0) -> Producer:
        redis = self.world.redis.client(port, decode_responses=True)
        return self.Producer(redis, self.cap, patience, self.version)

    def text(self, key: str) -> str | None:
        """What Redis has under a key, as JSON."""
        return self.redis.get(key)

    def read(self, id: str) -> Document | None:
        if text := self.text(self.prefix + id):
            return json.loads(text)
        for _, fields in self.redis.xrevrange(self.Worker.stream):
            if fields["key"] == self.prefix + id:  # evicted, and not written yet
                return json.loads(fields["doc"]) if fields["doc"] else None
        return self.stored().get(id)

    def in_redis(self) -> dict[str, Document]:
        keys = list(self.redis.scan_iter(self.prefix + "*", count=1000))
        return {key.removeprefix(self.prefix): json.loads(self.text(key) or "") for key in keys}

    def stored(self) -> dict[str, Document]:
        with self.world.server("mongo").client() as client:
            found = list(client[DATABASE][self.table].find({"_deleted": None}))
        return {
            d["_id"].removeprefix(self.prefix): {
                k: v for k, v in d.items() if k not in ("_id", "_v")
            }
            for d in found
        }

    def depth(self) -> int:
        return sum(self.redis.xlen(s) for s in self.redis.keys("queue*") if "dead" not in s)

    def entries(self) -> list[Any]:
        return [
            {"version": version_of(i), **fields}
            for i, fields in self.redis.xrange(self.Worker.stream)
        ]

    def deliver(self, entry: Any) -> None:
        self.redis.xadd(self.Worker.stream, entry)

    def dead_letters(self) -> list[DeadLetter]:
        return [
            DeadLetter(f["key"].removeprefix(self.prefix), f["doc"], f["error"], int(f["attempts"]))
            for _, f in self.redis.xrange(self.Worker.dead)
        ]

    def replay(self) -> None:
        for i, f in self.redis.xrange(self.Worker.dead):
            self.deliver({name: f[name] for name in ("key", "doc", "version")})
            self.redis.xdel(self.Worker.dead, i)

    def reconcile(self) -> None:
        stored = self.stored()
        for id, document in self.in_redis().items():
            if stored.get(id) != document:
                self.redis.xadd(
                    self.Worker.stream, {"key": self.prefix + id, "doc": json.dumps(document)}
                )

    def tamper(self, id: str, title: str | None) -> None:
        self.world.server("mongo").tamper(self.table, {"_id": self.prefix + id}, title)

    def metrics(self) -> Mapping[str, float]:
        waiting = self.redis.xrange(self.Worker.stream, count=1)
        born = int(waiting[0][0].split("-")[0]) / 1000 if waiting else time.time()
        age = max(0.0, time.time() - born)
        dead = self.redis.xlen(self.Worker.dead)
        return {
            "depth": self.depth(),
            "oldest_seconds": age,
            "lag_seconds": age,
            "dead_letters": dead,
        }


def main() -> None:
    """A worker's process."""
    where, port, url, version = sys.argv[1:]
    module, _, name = where.partition(":")
    recipe = getattr(importlib.import_module(module), name)
    redis = Redis(port=int(port), decode_responses=True)
    worker = recipe.Worker(redis, url, int(version))
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    print("started", flush=True)
    worker.run()


if __name__ == "__main__":
    main()

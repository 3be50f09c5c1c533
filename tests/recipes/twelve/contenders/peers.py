"""The two nearest packages, each with the few lines that its documentation suggests.

Neither is made for write-behind: capture is two calls, and what is written is up to the handler.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.recipes.twelve.interface import DeadLetter, Document, Producer, Recipe
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import DATABASE, Process

PREFIX, STREAM, GROUP, DEAD = "Movie:", "movies", "writers", "movies-dead"


class PeerProducer(Producer):
    """SET, then the package's own publish."""

    def __init__(self, redis: Any, publish: Any):
        self.redis, self._publish = redis, publish

    def put(self, id: str, document: Document) -> None:
        self.redis.set(PREFIX + id, json.dumps(document))
        self._publish({"id": id, "document": document})

    def put_text(self, id: str, text: str) -> None:
        self.put(id, json.loads(text))

    def remove(self, id: str, field: str) -> None:
        document = json.loads(self.redis.get(PREFIX + id))
        del document[field]
        self.put(id, document)

    def delete(self, id: str) -> None:
        self.redis.delete(PREFIX + id)
        self._publish({"id": id, "document": None})


class Peer(Recipe):
    """What both have in common."""

    worker: ClassVar[str]

    def __init__(self, world: World):
        super().__init__(world)
        self.redis = world.redis.client()
        self.loop = asyncio.new_event_loop()

    def install(self) -> None:
        self.redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)

    def start_worker(self, version: int = 1) -> Process:
        module = f"tests.recipes.twelve.contenders.{self.worker}"
        url = self.world.database_url("mongo")
        words = [sys.executable, "-m", module, str(self.world.redis.port), url]
        return self.world.start(words, says="started")

    def in_redis(self) -> dict[str, Document]:
        keys = [key.decode() for key in self.redis.scan_iter(PREFIX + "*", count=1000)]
        return {key.removeprefix(PREFIX): json.loads(self.redis.get(key)) for key in keys}

    def stored(self) -> dict[str, Document]:
        with self.world.server("mongo").client() as client:
            found = list(client[DATABASE].movies.find())
        return {d.pop("_id"): d for d in found}

    def depth(self) -> int:
        [group] = self.redis.xinfo_groups(STREAM)
        return int(group["pending"]) + int(group["lag"] or 0)

    def entries(self) -> list[Any]:
        return [fields for _, fields in self.redis.xrange(STREAM)]

    def deliver(self, entry: Any) -> None:
        self.redis.xadd(STREAM, entry)

    def tamper(self, id: str, title: str | None) -> None:
        self.world.server("mongo").tamper("movies", {"_id": id}, None)


class FastStream(Peer):
    """FastStream's Redis broker: batches, a group, and pending messages that a second subscriber claims."""

    name = "faststream"
    title = "FastStream"
    worker = "faststream_worker"
    fails: ClassVar[Mapping[int, str]] = dict.fromkeys((1, 3, 4, 5, 6, 7, 8, 9, 12), "")

    def producer(self, port: int | None = None, patience: float = 0.0) -> Producer:
        from faststream.redis import RedisBroker

        redis = self.world.redis.client(port)
        broker = RedisBroker(f"redis://127.0.0.1:{port or self.world.redis.port}")
        self.loop.run_until_complete(broker.connect())

        def publish(message: Any) -> None:
            self.loop.run_until_complete(broker.publish(message, stream=STREAM))

        return PeerProducer(redis, publish)


class RedisStreamQueue(Peer):
    """redis-stream-queue: batches, a group, pending messages that are claimed, a dead-letter stream."""

    name = "redis-stream-queue"
    title = "redis-stream-queue"
    worker = "stream_queue_worker"
    fails: ClassVar[Mapping[int, str]] = dict.fromkeys((1, 3, 4, 5, 6, 7, 9, 12), "")

    def producer(self, port: int | None = None, patience: float = 0.0) -> Producer:
        from redis_stream_queue import StreamClient, StreamProducer

        StreamClient._pools.clear()  # of all clients; one that is cut off would spoil the next
        at = port or self.world.redis.port
        client = StreamClient(host="127.0.0.1", port=at)
        producer = StreamProducer(client=client, stream=STREAM, group=GROUP, max_len=self.cap)

        def publish(message: Any) -> None:
            self.loop.run_until_complete(producer.push(message))

        return PeerProducer(self.world.redis.client(port), publish)

    def dead_letters(self) -> list[DeadLetter]:
        found = [fields[b"data"] for _, fields in self.redis.xrange(DEAD)]
        letters = [json.loads(data) for data in found]
        return [
            DeadLetter(x["id"], json.dumps(x["document"]), x["reason"], x["attempts"])
            for x in letters
        ]

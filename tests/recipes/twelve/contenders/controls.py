"""The naive controls: the small recipe with a few lines as one would write them at first.

Each has to fail its property, and the base that it departs from has to pass: else the test of that
property proves nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

import psycopg
from bson import encode
from pymongo import DeleteOne, ReplaceOne, UpdateOne
from redis import RedisError

from tests.recipes.twelve.contenders.small import PREFIX, Small, SmallProducer, SmallWorker
from tests.recipes.twelve.interface import Document


class Control(Small):
    """Made to fail one property."""

    patience = 5
    number: ClassVar[int]
    because: ClassVar[str]
    """Part of what is seen when it fails for the reason that it was made for."""

    def __init_subclass__(cls) -> None:
        cls.fails = {cls.number: cls.title}


class TwoCalls(Control):
    """SET, then XADD."""

    name, title, number = "two-calls", "SET, then XADD, in two calls", 1
    because = "producers died"

    class Producer(SmallProducer):
        def capture(self, what: str, id: str, text: str, by: int = 0) -> None:
            self.redis.set(PREFIX + id, text)
            self.redis.xadd(self.stream, {"key": PREFIX + id, "doc": text})


class AcknowledgeOnRead(Control):
    """What is read is taken for done."""

    name, title, number = "ack-on-read", "acknowledge on read", 2
    because = "killed before its bulk write"

    class Worker(SmallWorker):
        def read(self) -> list[Any]:
            entries = super().read()
            if entries:
                self.acknowledge(entries)
            return entries


class NotJournaled(Control):
    """MongoDB's word is taken before it is in the journal."""

    name, title, number = "not-journaled", "`w: 1`, without `j: true`", 2
    because = "database was killed"

    class Worker(SmallWorker):
        concern: ClassVar[dict[str, Any]] = {"w": 1}


class AsItComes(Control):
    """The last to arrive wins."""

    name, title, number = "as-it-comes", "`$set` as it comes", 3
    because = "delivered twice more"

    class Worker(SmallWorker):
        def operation(self, key: str, version: str, text: str) -> Any:
            return UpdateOne({"_id": key}, {"$set": json.loads(text)}, upsert=True)


class FourConsumers(Control):
    """Consumers share one stream, each under its own name, and trust their order."""

    name, title, number = "four-consumers", "several consumers on one stream", 4
    because = "zombie woke up"

    class Worker(SmallWorker):
        def __init__(self, *words: Any):
            super().__init__(*words)
            self.consumer = f"worker-{os.getpid()}"

        def operation(self, key: str, version: str, text: str) -> Any:
            return ReplaceOne({"_id": key}, json.loads(text), upsert=True)


class DeletesForgotten(Control):
    """A delete leaves nothing behind."""

    name, title, number = "delete-one", "`delete_one` as it comes", 5
    because = "came again, in another order"

    class Worker(SmallWorker):
        def operation(self, key: str, version: str, text: str) -> Any:
            if not text:
                return DeleteOne({"_id": key})
            return super().operation(key, version, text)


class OneUpdateAnEntry(Control):
    """Each entry is a write of its own."""

    name, title, number = "one-update-an-entry", "one update an entry", 6
    because = "documents in"
    patience = 150  # it gets there, and not in the way that it should

    class Worker(SmallWorker):
        def write(self, entries: list[Any]) -> list[Any]:
            return [
                letter for entry in entries for letter in super(type(self), self).write([entry])
            ]


class TrimmedStream(Control):
    """The stream is kept short by Redis."""

    name, title, number = "maxlen", "`MAXLEN ~` keeps the stream short", 7
    because = "may"

    class Producer(SmallProducer):
        def capture(self, what: str, id: str, text: str, by: int = 0) -> None:
            pipe = self.redis.pipeline()
            pipe.set(PREFIX + id, text)
            pipe.xadd(self.stream, {"key": PREFIX + id, "doc": text}, maxlen=self.cap)
            pipe.execute()


class AtOnceForEver(Control):
    """What failed is tried again at once. On PostgreSQL: PyMongo makes anybody wait half a second."""

    name, title, number = "retry-at-once", "retry at once, forever", 8
    because = "connections were tried"
    database = "postgres"
    WRITE = """INSERT INTO movies VALUES (%s, %s)
        ON CONFLICT (key) DO UPDATE SET document = excluded.document"""

    class Worker(SmallWorker):
        outage: ClassVar[tuple[type[Exception], ...]] = (RedisError, psycopg.Error)

        def connect(self) -> None: ...

        def pause(self, wait: float) -> None: ...

        def write(self, entries: list[Any]) -> list[Any]:
            with psycopg.connect(self.url) as connection:
                for _, fields in entries:
                    connection.execute(AtOnceForEver.WRITE, [fields["key"], fields["doc"]])
            return []

    def install(self) -> None:
        with self.world.server("postgres").client() as client:
            client.execute("CREATE TABLE movies (key text PRIMARY KEY, document jsonb)")

    def stored(self) -> dict[str, Document]:
        with self.world.server("postgres").client() as client:
            found = client.execute("SELECT key, document FROM movies")
            return {key.removeprefix(PREFIX): document for key, document in found}


class BlockedByPoison(Control):
    """A batch that fails is tried again as it is."""

    name, title, number = "no-dead-letters", "a batch that fails is tried again, whole", 9
    because = "stay in the queue"

    class Worker(SmallWorker):
        def write(self, entries: list[Any]) -> list[Any]:
            while letters := super().write(entries):
                self.pause(0.1 * len(letters))
            return []


class SetOnly(Control):
    """Fields are set, and never taken away."""

    name, title, number = "set-only", "`$set` only", 10
    because = "added, renamed, removed"

    class Worker(SmallWorker):
        def operation(self, key: str, version: str, text: str) -> Any:
            document = json.loads(text) if text else {"_deleted": True}
            encode(document)
            return UpdateOne({"_id": key}, {"$set": document}, upsert=True)


class SplitAtColon(Control):
    """The id is what follows the first colon."""

    name, title, number = "split-at-colon", "`key.split(':')[1]` is the id", 10
    because = "documents of every type"

    class Worker(SmallWorker):
        def operation(self, key: str, version: str, text: str) -> Any:
            return super().operation(PREFIX + key.split(":")[1], version, text)


class NewStreamEachVersion(Control):
    """A new version begins a new stream, and reads that one."""

    name, title, number = "new-stream", "a new stream name a registration", 11
    because = "stay in the queue"

    class Producer(SmallProducer):
        def capture(self, *words: Any) -> None:
            self.stream = f"queue-{self.redis.get('version') or 1}"
            super().capture(*words)

    class Worker(SmallWorker):
        def __init__(self, redis: Any, url: str, version: int = 1):
            super().__init__(redis, url, version)
            self.stream = f"queue-{version}"
            redis.set("version", version)


class LogLines(Control):
    """Whoever wants to know reads the log."""

    name, title, number = "log-lines", "log lines", 12
    because = "depth is None"

    def metrics(self) -> Mapping[str, float]:
        return {"lines": float(len(self.world.workers[-1].log.read_text().splitlines()))}


CONTROLS: list[type[Control]] = [
    TwoCalls,
    AcknowledgeOnRead,
    NotJournaled,
    AsItComes,
    FourConsumers,
    DeletesForgotten,
    OneUpdateAnEntry,
    TrimmedStream,
    AtOnceForEver,
    BlockedByPoison,
    SetOnly,
    SplitAtColon,
    NewStreamEachVersion,
    LogLines,
]

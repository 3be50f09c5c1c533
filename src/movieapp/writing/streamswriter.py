"""Write-behind without Gears: recipes/streams captures in Redis, a worker of the app's own writes.

The recipe's documents have their key as `_id` and a version, which the other ways of writing would
not keep. So they live in a database of their own, and are brought up to date when this way is chosen
and brought back when it is left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

from pymongo import DeleteOne, InsertOne, ReplaceOne

from movieapp import models
from movieapp.models import Entity, bare
from movieapp.search import MOVIE_PREFIX, PAUSE_PREFIX
from movieapp.surroundings import MOVIES, PAUSES, Surroundings
from movieapp.troubles import Trouble
from movieapp.writing import worker
from movieapp.writing.writers import Mode, Writer
from recipes.streams import CapturingRedis, Partitions, WriteBehindError
from recipes.streams.core.names import version_of
from recipes.streams.databases.mongo import MongoSink
from recipes.streams.databases.sink import Change

_ROUTES = {MOVIE_PREFIX: MOVIES, PAUSE_PREFIX: PAUSES}
_PARTITIONS = Partitions(4, "movieapp")
_LEASE = "3"  # seconds after which a worker that was killed is succeeded


class BehindWithStreams(Writer):
    """A function library in Redis queues the write in the same step; a worker carries batches."""

    mode = Mode.STREAMS
    title = "Write-behind, streams"
    promise = "OK: Redis has it, and the stream remembers it for MongoDB."
    database = "movieappStreams"
    has_worker = True
    streams = tuple(partition.stream for partition in _PARTITIONS.all())
    graves = tuple(partition.dead for partition in _PARTITIONS.all())

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        host, _, options = around.mongo_url.partition("?")
        self._mongo_url = f"{host.rstrip('/')}/{self.database}" + (f"?{options}" if options else "")
        self._worker: subprocess.Popen[bytes] | None = None

    def enter(self) -> None:
        """Bring its database up to date, start a worker, and let Redis OM write through the recipe."""
        self._around.register(None)
        client = CapturingRedis.from_url(
            self._around.redis_direct_url,
            decode_responses=True,
            socket_timeout=models.WRITE_SECONDS,
            prefixes=tuple(_ROUTES),
            partitions=_PARTITIONS,
        )
        self._bring_up_to_date()
        models.save_through(client)
        self.start_worker()

    def leave(self) -> None:
        """Bring the other database up to date, and end the worker."""
        self._bring_back()
        if self._worker:
            worker.end(self._worker)
            self._worker = None

    def abandon(self) -> None:
        """End the worker, whatever MongoDB does: entries stay in the stream."""
        if self._worker:
            worker.end(self._worker)
            self._worker = None

    def save(self, entity: Entity, *, is_new: bool) -> None:
        """Save; a queue that is full, or a document that no database takes, is told as such."""
        try:
            entity.save()
        except WriteBehindError as problem:
            raise Trouble(f"It was not written: {problem}.", "Nothing has changed.") from problem

    def start_worker(self) -> None:
        """Start a worker if none of this app runs."""
        if self.is_alive():
            return
        options = ["--redis", self._around.redis_direct_url, "--database", self._mongo_url]
        for prefix, name in _ROUTES.items():
            options += ["--route", f"{prefix}={name}"]
        options += ["--partitions", str(_PARTITIONS.count), "--namespace", _PARTITIONS.namespace]
        self._worker = worker.start([*options, "--lease", _LEASE], self._around.log)

    def end_worker(self) -> None:
        """Kill the worker, as a crash would: its successor goes on where it was."""
        if self._worker:
            self._worker.kill()
            self._worker.wait()

    def is_alive(self) -> bool:
        """Tell whether the worker runs."""
        return self._worker is not None and self._worker.poll() is None

    def where(self, key: str) -> tuple[str, dict[str, Any]]:
        """Return the collection and the filter: the key is the `_id`."""
        return _ROUTES[key.partition(":")[0] + ":"], {"_id": key}

    def _bring_up_to_date(self) -> None:
        """Write what Redis has and this database has not, fenced below every version to come."""
        reads = models.connect_redis(self._around.redis_direct_url, models.WRITE_SECONDS)
        sink = MongoSink(self._mongo_url, _ROUTES)
        try:
            seconds, micros = reads.time()
            version = version_of(f"{seconds * 1000 + micros // 1000 - 1}-0")
            there = {stored.key: stored.document for stored in sink.scan()}
            here = {
                key: document for prefix in _ROUTES for key, document in _documents(reads, prefix)
            }
            changes = [
                Change(key, document, version)
                for key, document in here.items()
                if there.get(key) != document
            ]
            # An empty Redis says that Redis has lost its data, not that all was deleted.
            gone = [key for key in there if here and there[key] is not None and key not in here]
            sink.open()
            sink.write(changes + [Change(key, None, version) for key in gone])
        finally:
            sink.close()
            reads.close()

    def _bring_back(self) -> None:
        """Write what this database has into the one of the other ways.

        By `_id`: nothing else has an index there, and to look through a collection for each of a
        thousand documents takes longer than a connection waits.
        """
        sink = MongoSink(self._mongo_url, _ROUTES)
        database = models.connect_mongo(self._around.mongo_url, 5.0)
        try:
            for prefix, collection in _ROUTES.items():
                identity = "movieId" if collection == MOVIES else "pauseId"
                there = {d[identity]: d for d in database[collection].find() if identity in d}
                changes: list[Any] = []
                for stored in sink.scan():
                    if not stored.key.startswith(prefix):
                        continue
                    old = there.get(stored.key.removeprefix(prefix))
                    if (bare(old) if old else None) == stored.document:
                        continue
                    if old is None:
                        changes.append(InsertOne(stored.document))
                    elif stored.document is None:
                        changes.append(DeleteOne({"_id": old["_id"]}))
                    else:
                        changes.append(ReplaceOne({"_id": old["_id"]}, stored.document))
                if changes:
                    database[collection].bulk_write(changes, ordered=False)
        finally:
            sink.close()
            database.client.close()


def _documents(reads: Any, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    keys = list(reads.scan_iter(match=prefix + "*", count=1000, _type="ReJSON-RL"))
    for first in range(0, len(keys), 500):
        some = keys[first : first + 500]
        for key, found in zip(some, reads.json().mget(some, "$"), strict=True):
            if found and isinstance(found[0], dict):
                yield key, found[0]

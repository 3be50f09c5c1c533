"""Four ways to write the same document. The seam: `enter`, `save`, `delete`, `leave`.

MongoDB only             app ──▶ MongoDB ──▶ answer                 (then Redis's copy)
write-through            app ──▶ Redis ──▶ MongoDB ──▶ answer
write-behind, Gears      app ──▶ Redis + stream ──▶ answer          a worker ──▶ MongoDB
write-behind, streams    the same, with a function library in place of Gears
"""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar

from redis import Redis

from movieapp import models
from movieapp.models import Entity, Movie, Pause
from movieapp.surroundings import DATABASE, MOVIES, PAUSES, Surroundings


class Mode(str, Enum):
    """How the app writes."""

    MONGO = "mongo-only"
    THROUGH = "write-through"
    GEARS = "write-behind-gears"
    STREAMS = "write-behind-streams"


class Writer:
    """One way to write. `save` and `delete` return once the writer may be told OK."""

    mode: ClassVar[Mode]
    title: ClassVar[str]
    promise: ClassVar[str]
    """What OK means with this writer, in one sentence."""

    database: ClassVar[str] = DATABASE
    """The database that it writes to."""

    streams: tuple[str, ...] = ()
    """The streams that entries wait in. None: OK says that MongoDB has it."""

    graves: tuple[str, ...] = ()
    """The streams of entries that were given up."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def enter(self) -> None:
        """Prepare for writing this way; `leave` ends it. Raises what keeps it from working."""

    def leave(self) -> None:
        """End what `enter` began."""

    def abandon(self) -> None:
        """End at once what `enter` began: the app ends."""
        self.leave()

    def save(self, entity: Entity, *, is_new: bool) -> None:
        """Write a document. Redis OM sends one JSON.SET through `Meta.database`."""
        entity.save()

    def delete(self, entity: Entity) -> None:
        """Delete a document."""
        type(entity).delete(_number(entity))

    def key_in(self, entry: dict[str, str]) -> str:
        """Return the key that an entry of the stream is about."""
        return entry.get("key", "")

    has_worker: ClassVar[bool] = False
    """Whether the app runs the worker itself, as a process that it can end and start."""

    def start_worker(self) -> None:
        """Start the worker, if it does not run."""

    def end_worker(self) -> None:
        """Kill the worker."""

    def is_alive(self) -> bool:
        """Tell whether what carries entries to MongoDB runs, as far as the app can know."""
        return True

    def where(self, key: str) -> tuple[str, dict[str, Any]]:
        """Return the collection and the filter under which MongoDB holds the document of a key."""
        prefix, _, number = key.partition(":")
        if prefix == "PauseEntity":
            return PAUSES, {"pauseId": number}
        return MOVIES, {"movieId": number}


class MongoOnly(Writer):
    """The tutorial's first snippet: `insertOne`, and wait. Redis gets a copy for the search."""

    mode = Mode.MONGO
    title = "MongoDB only"
    promise = "OK: MongoDB has it in its journal. You waited for that."
    _patience = 5.0

    def enter(self) -> None:
        """Leave nothing registered: copies in Redis must not be written to MongoDB again."""
        self._around.register(None)
        self._db = models.connect_mongo(self._around.mongo_url, self._patience)
        models.save_through(_client(self._around))

    def leave(self) -> None:
        """Close the driver's connections."""
        self._db.client.close()

    def save(self, entity: Entity, *, is_new: bool) -> None:
        """Insert or replace in MongoDB, then renew the copy."""
        collection, its = self.where(entity.key())
        if is_new:
            self._db[collection].insert_one(entity.document())
        else:
            self._db[collection].replace_one(its, entity.document(), upsert=True)
        entity.save()

    def delete(self, entity: Entity) -> None:
        """Delete in MongoDB, then the copy."""
        collection, its = self.where(entity.key())
        self._db[collection].delete_one(its)
        super().delete(entity)


class WriteThrough(Writer):
    """A function in Redis writes to MongoDB before the reply."""

    mode = Mode.THROUGH
    title = "Write-through"
    promise = "OK: Redis and MongoDB have it. You waited for both."

    def enter(self) -> None:
        """Register the recipe."""
        self._around.register("write-through")
        models.save_through(_client(self._around))


class BehindWithGears(Writer):
    """A function in Redis queues the write; another one carries batches to MongoDB."""

    mode = Mode.GEARS
    title = "Write-behind, Gears"
    promise = "OK: Redis has it, and the stream remembers it for MongoDB."
    streams = ("_movies-stream-{06S}", "_pauses-stream-{06S}")
    graves = ("_movies-stream-dead-letters-{06S}", "_pauses-stream-dead-letters-{06S}")

    def enter(self) -> None:
        """Register the recipe."""
        self._around.register("write-behind")
        models.save_through(_client(self._around))

    def key_in(self, entry: dict[str, str]) -> str:
        """Return the key, under the name that rgsync gives it."""
        return entry.get("_original_key", "")


def _client(around: Surroundings) -> Redis:
    return models.connect_redis(around.redis_url, models.WRITE_SECONDS)


def _number(entity: Entity) -> str:
    if isinstance(entity, Movie):
        return entity.movieId
    assert isinstance(entity, Pause)
    return entity.pauseId

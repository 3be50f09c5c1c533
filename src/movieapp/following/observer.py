"""Watches the streams and MongoDB, and notes in the journal what becomes of each write.

It only looks: nothing waits for it, and a store that is away is a state that it reports. One thread
reads entries as they come, one asks how far the workers are, one asks MongoDB, which may be slow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pymongo
from pymongo.errors import PyMongoError
from redis import RedisError, ResponseError

from movieapp import models
from movieapp.following.journeys import Journal, Journey, keys_of
from movieapp.models import bare
from movieapp.surroundings import MOVIES, Surroundings
from movieapp.writing.writers import Writer

_EPOCH = datetime(1970, 1, 1)
_BUSY, _IDLE, _AWAY = 0.03, 0.5, 1.0  # seconds between two looks
_MONGO_SECONDS = 2.0  # how long MongoDB may take before it counts as not answering
_MOST = 200  # keys that MongoDB is asked about at once


@dataclass
class Sight:
    """What was seen last. None: it did not answer."""

    redis_answers: bool | None = None
    mongo_answers: bool | None = None
    depth: int | None = None
    oldest_seconds: float | None = None
    documents: int | None = None
    buried: int = 0
    delivered: dict[str, str] = field(default_factory=dict)


class Observer:
    """The three threads. `use` says which writer's streams to look at."""

    def __init__(
        self, around: Surroundings, journal: Journal, writer: Callable[[], Writer]
    ) -> None:
        self.sight = Sight()
        self._journal, self._writer = journal, writer
        self._reader = models.connect_redis(around.redis_direct_url, 5.0)
        self._asker = models.connect_redis(around.redis_direct_url, models.READ_SECONDS)
        self._mongo = models.connect_mongo(around.mongo_url, _MONGO_SECONDS).client
        self._ended = threading.Event()
        jobs = (self._read_entries, self._ask_redis, self._ask_mongo)
        self._threads = [threading.Thread(target=job, daemon=True) for job in jobs]

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End watching, and wait until it has ended."""
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=10)
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for client in (self._reader, self._asker):
            client.close()
        self._mongo.close()

    def _read_entries(self) -> None:
        """Note each entry as it is added: XREAD is woken by every XADD."""
        last: dict[str, str] = {}
        while not self._ended.is_set():
            writer = self._writer()
            try:
                for name in writer.streams:
                    if name not in last:
                        last[name] = self._last_id(name)
                asked = {name: last[name] for name in writer.streams}
                if not asked:
                    self._ended.wait(_IDLE)
                    continue
                for name, entries in self._reader.xread(asked, count=500, block=300) or []:
                    for entry_id, entry in entries:
                        last[name] = entry_id
                        self._journal.queue(writer.key_in(entry), str(name), entry_id)
            except (RedisError, OSError):
                last.clear()  # the stream may begin anew
                self._ended.wait(_AWAY)

    def _last_id(self, stream: str) -> str:
        try:
            return str(self._reader.xinfo_stream(stream)["last-generated-id"])
        except ResponseError:
            return "0-0"  # there is none yet

    def _ask_redis(self) -> None:
        while not self._ended.is_set():
            try:
                self._look_at_streams(self._writer())
                self.sight.redis_answers = True
                busy = bool(self.sight.depth) or bool(self._journal.under_way())
            except (RedisError, OSError):
                self.sight.redis_answers = False
                self.sight.depth = self.sight.oldest_seconds = None
                busy = False
            self._ended.wait(_BUSY if busy else _IDLE)

    def _look_at_streams(self, writer: Writer) -> None:
        seconds, micros = self._asker.time()  # Redis's own clock, which made the ids
        depth, oldest = 0, None
        for name in writer.streams:
            depth += self._asker.xlen(name)
            for entry_id, _ in self._asker.xrange(name, count=1):
                age = seconds + micros / 1e6 - int(entry_id.split("-")[0]) / 1000
                oldest = max(oldest or 0.0, age)
            if delivered := self._delivered(name):
                self.sight.delivered[name] = delivered
                self._journal.deliver(name, delivered, time.monotonic())
        self.sight.buried = sum(self._asker.xlen(name) for name in writer.graves)
        self.sight.depth, self.sight.oldest_seconds = depth, oldest

    def _delivered(self, stream: str) -> str:
        try:
            groups = self._asker.xinfo_groups(stream)
        except ResponseError:
            return ""
        return str(groups[0]["last-delivered-id"]) if groups else ""

    def _ask_mongo(self) -> None:
        turn = 0
        while not self._ended.is_set():
            waiting = [one for one in self._journal.under_way() if one.has_stream]
            try:
                with pymongo.timeout(_MONGO_SECONDS):
                    self._look_at_mongo(waiting[:_MOST])
                    if turn % 20 == 0 or not waiting:
                        self.sight.documents = self._count()
                self.sight.mongo_answers = True
            except (PyMongoError, OSError):
                self.sight.mongo_answers = False
                self.sight.documents = None
            turn += 1
            away = not self.sight.mongo_answers
            self._ended.wait(_AWAY if away else _BUSY if waiting else _IDLE)

    def _look_at_mongo(self, waiting: list[Journey]) -> None:
        writer = self._writer()
        # Asked before MongoDB is: an entry leaves after its commit, so what has left by now shows.
        left = self._those_that_left(writer, waiting)
        keys = keys_of(waiting)
        places = {key: writer.where(key) for key in keys}
        for collection in {place for place, _ in places.values()}:
            filters = [its for place, its in places.values() if place == collection]
            asked = filters[0] if len(filters) == 1 else {"$or": filters}
            found = list(self._mongo[writer.database][collection].find(asked))
            for key, (place, its) in places.items():
                if place == collection:
                    document = next((d for d in found if its.items() <= d.items()), None)
                    self._journal.see(key, bare(document), time.monotonic())
        for one, grave in left:
            self._journal.leave(one, time.monotonic(), grave)

    def _count(self) -> int:
        """Count the movies; what recipes/streams keeps of deleted ones does not count."""
        movies = self._mongo[self._writer().database][MOVIES]
        return movies.estimated_document_count() - movies.count_documents({"_at": {"$gt": _EPOCH}})

    def _those_that_left(
        self, writer: Writer, waiting: list[Journey]
    ) -> list[tuple[Journey, str | None]]:
        """Writes whose entry is gone, and the error of those that were buried.

        One that MongoDB does not show was overtaken, if it was not buried.
        """
        try:
            gone = (one for one in waiting if one.picked_up is not None and self._has_left(one))
            return [(one, self._grave_of(writer, one)) for one in gone]
        except (RedisError, OSError):
            return []  # the other thread reports it

    def _has_left(self, one: Journey) -> bool:
        return not self._asker.xrange(one.stream, one.entry_id, one.entry_id)

    def _grave_of(self, writer: Writer, one: Journey) -> str | None:
        for name in writer.graves:
            for _, entry in self._asker.xrevrange(name, count=100):
                if writer.key_in(entry) == one.key:
                    return str(entry.get("error", "MongoDB refused it"))
        return None

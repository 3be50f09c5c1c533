"""The two kinds of documents, described once with Redis OM, and the clients of both stores."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC
from typing import Any

import pymongo
from pydantic import ConfigDict
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_om import Field, JsonModel

from movieapp.surroundings import DATABASE

READ_SECONDS, WRITE_SECONDS = 2.0, 6.0
"""How long a page waits for Redis; how long a write does (write-through waits for MongoDB)."""


class Entity(JsonModel, ABC):  # type: ignore[misc]  # Redis OM has no types
    """A document whose key is its prefix and id; fields that no class names are kept."""

    model_config = ConfigDict(extra="allow")
    pk: str | None = Field(default=None, exclude=True)

    @classmethod
    def make_key(cls, part: str) -> str:
        """Return a key without the colon of Redis OM's global prefix, which is empty."""
        key: str = super().make_key(part)
        return key.removeprefix(":")

    def document(self) -> dict[str, Any]:
        """Return what `save()` stores."""
        document: dict[str, Any] = self.model_dump(mode="json")
        return document


class Movie(Entity, index=True):  # type: ignore[call-arg]
    """One movie, `MovieEntity:<movieId>`."""

    movieId: str = Field(primary_key=True)
    title: str
    tagline: str
    plot: str
    year: int
    duration: int | None
    genres: list[str]
    countries: list[str]
    directors: list[str]
    imdbRating: float | None

    class Meta:
        """Where its keys begin."""

        model_key_prefix = "MovieEntity"


class Pause(Entity, index=True):  # type: ignore[call-arg]
    """Where one viewer stopped one movie, `PauseEntity:<user>:<movieId>`."""

    pauseId: str = Field(primary_key=True)
    user: str
    movieId: str
    seconds: int
    at: float

    class Meta:
        """Where its keys begin."""

        model_key_prefix = "PauseEntity"


def pause_of(user: str, movie_id: str, seconds: int) -> Pause:
    """Return the pause of a viewer in a movie: the next one takes its place."""
    number = f"{user}:{movie_id}"
    # Milliseconds: RedisJSON may change the last of 17 digits, and then no store has what was sent.
    at = round(time.time(), 3)
    return Pause(pauseId=number, user=user, movieId=movie_id, seconds=seconds, at=at)


def save_through(client: Redis) -> None:
    """Make `save()` and `delete()` of both kinds go through this client."""
    for model in (Movie, Pause):
        model._meta.database = client


def fingerprint(document: dict[str, Any] | None) -> str:
    """Return a short text that differs when the document does; "" for none."""
    if document is None:
        return ""
    words = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(words.encode()).hexdigest()[:20]


def connect_redis(url: str, seconds: float) -> Redis:
    """Return a client that waits so long for a reply, and never sends a command twice by itself."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=seconds,
        socket_connect_timeout=READ_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def connect_mongo(url: str, seconds: float) -> pymongo.database.Database[dict[str, Any]]:
    """Return the course's database. A write that it acknowledges is in the journal."""
    milliseconds = int(seconds * 1000)
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        url,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
        retryWrites=False,
        maxPoolSize=64,
    )
    safe = pymongo.WriteConcern(w="majority", j=True, wtimeout=milliseconds)
    return client.get_database(DATABASE, write_concern=safe)


def bare(document: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a document of MongoDB without the fields that stores and recipes add; None if deleted."""
    if document is None or document.get("_deleted"):
        return None
    return {name: value for name, value in document.items() if not name.startswith("_")}

"""Clients that write movies and know, whatever dies meanwhile, what Redis must hold at the end."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis

from tests.minigears.realgears import MiniGears

PREFIX = "MovieEntity:"
Document = dict[str, Any]

TITLES = ("Schindler's List", 'Say "Hi"', "Amélie", "','x':'")
"""What breaks careless JSON."""

_PAUSE = (
    0.1  # seconds that a client gives what it cannot reach, and this machine, before it tries again
)


class Writer:
    """One client with keys of its own, and some that it shares with the others.

    A write that is not acknowledged is sent again until it is. Every write is such that doing it
    twice is the same as doing it once.
    """

    def __init__(self, gears: MiniGears, name: str, seed: str, titles: Sequence[str]):
        self._gears = gears
        self._titles = titles
        self._name = name
        self._random = random.Random(seed)
        self._version = 0
        self.documents: dict[str, Document | None] = {}
        """Its own keys, as acknowledged; None: deleted."""
        self.acknowledged = 0
        self.events = 0
        """Events that the acknowledged writes have raised, at least: those to its own keys."""
        self.writes = 0
        """And at most: a shared key may have been gone when it was to be deleted."""
        self.repeated = 0
        self.last_error: redis.RedisError | None = None
        self.given_up = False
        """Set when the test has failed: what is not acknowledged never will be."""

    def write_until(self, stop: threading.Event) -> None:
        """Write until told to stop, and then to the end of what was begun."""
        client = self._client()
        while not stop.is_set():
            write, outcome = self._next()
            while not self.given_up:
                try:
                    write(client)
                    break
                except redis.RedisError as error:
                    self.last_error = error
                    self.repeated += 1
                    client.close()
                    time.sleep(_PAUSE)
                    client = self._client()
            self.documents.update(outcome)
            self.acknowledged += 1
            self.events += len(outcome)
            self.writes += max(1, len(outcome))
        client.close()

    def _client(self) -> redis.Redis:
        return self._gears.client(socket_timeout=30)

    def _next(self) -> tuple[Callable[[redis.Redis], Any], dict[str, Document | None]]:
        """One write, and what it makes of this client's own keys."""
        self._version += 1
        key = f"{PREFIX}{self._name}-{self._random.randrange(20)}"
        before = self.documents.get(key)
        kind = self._random.choice(
            ["set", "field", "field", "delete", "both", "pipeline", "shared"]
        )
        if kind == "shared":
            shared = f"{PREFIX}shared-{self._random.randrange(5)}"
            return self._shared(shared, self._document(shared)), {}
        if kind == "delete" and before:
            return lambda client: client.delete(key), {key: None}
        if kind == "field" and before:
            version = self._version
            changed = before | {"version": version}
            return lambda client: client.json().set(key, "$.version", version), {key: changed}
        if kind in ("both", "pipeline"):
            other = f"{key}-other"
            return self._two(key, other, transaction=kind == "both")
        document = self._document(key)
        return lambda client: client.json().set(key, "$", document), {key: document}

    def _shared(self, key: str, document: Document) -> Callable[[redis.Redis], Any]:
        if self._random.random() < 0.3:
            return lambda client: client.delete(key)
        return lambda client: client.json().set(key, "$", document)

    def _two(
        self, key: str, other: str, transaction: bool
    ) -> tuple[Callable[[redis.Redis], Any], dict[str, Document | None]]:
        first = self._document(key)
        second = None if self.documents.get(other) else self._document(other)

        def write(client: redis.Redis) -> None:
            with client.pipeline(transaction=transaction) as pipe:
                pipe.json().set(key, "$", first)
                if second is None:
                    pipe.delete(other)
                else:
                    pipe.json().set(other, "$", second)
                pipe.execute()

        return write, {key: first, other: second}

    def _document(self, key: str) -> Document:
        """A movie."""
        title = self._random.choice(self._titles)
        return {
            "movieId": key.removeprefix(PREFIX),
            "title": title,
            "version": self._version,
            "writer": self._name,
            "cast": [{"name": f"n{n}"} for n in range(self._random.randrange(3))],
        }


class Load:
    """Several writers, each in a thread of its own, for as long as the `with` block runs."""

    def __init__(
        self, gears: MiniGears, seed: str, writers: int = 4, titles: Sequence[str] = TITLES
    ):
        self.writers = [Writer(gears, f"w{n}", f"{seed}/{n}", titles) for n in range(writers)]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=writer.write_until, args=(self._stop,), daemon=True)
            for writer in self.writers
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        for writer in self.writers:
            writer.given_up = failure is not None
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), self.last_errors

    @property
    def acknowledged(self) -> int:
        """Writes that are acknowledged so far."""
        return sum(writer.acknowledged for writer in self.writers)

    @property
    def events(self) -> int:
        """How often functions must have run by now, at least."""
        return sum(writer.events for writer in self.writers)

    @property
    def writes(self) -> int:
        """How often that is enough."""
        return sum(writer.writes for writer in self.writers)

    @property
    def documents(self) -> dict[str, Document | None]:
        """What was acknowledged last for each key of one writer only."""
        return {key: value for one in self.writers for key, value in one.documents.items()}

    @property
    def last_errors(self) -> str:
        """Why writes were sent again, for a report."""
        return "; ".join(f"{one.repeated} times: {one.last_error!r}" for one in self.writers)


def in_redis(client: redis.Redis) -> dict[str, Document]:
    """All movies, by key."""
    keys = sorted(client.scan_iter(f"{PREFIX}*", count=1000))
    texts = [client.execute_command("JSON.GET", key) for key in keys]
    return {key: json.loads(text) for key, text in zip(keys, texts, strict=True)}


def in_mongo(movies: Any) -> dict[str, Document]:
    """All movies, by the key that each must have come from."""
    found = list(movies.find({}, {"_id": 0, "_v": 0}))
    documents = {PREFIX + one["movieId"]: one for one in found}
    assert len(documents) == len(found), "two documents of one key"
    return documents

"""Writes down every change of the database as the database tells it, past every proxy."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from tests.histories.verdict.history import Change, Document

Translate = Callable[[Mapping[str, Any]], tuple[str, Document | None]]
"""From a stored document to its key and what the recipe means by it; None for a tombstone."""


class Witness(Protocol):
    """Follows the changes of the documents whose keys have a prefix."""

    changes: list[Change]

    def start(self) -> None:
        """Begin, and wait until nothing can be missed."""

    def stop(self) -> None:
        """End. What has happened until now is in `changes`."""

    def documents(self) -> dict[str, Document]:
        """What the database holds now."""


class MongoWitness:
    """Follows a collection's change stream through restarts of the server."""

    def __init__(
        self,
        url: str,
        place: tuple[str, str],
        translate: Translate,
        clock: Callable[[], float],
        prefix: str,
    ):
        # Directly: a server that is just starting may name no member of its set, itself included, and a
        # client that goes by that has no server any more, for good.
        self._client: MongoClient[Any] = MongoClient(
            url, directConnection=True, serverSelectionTimeoutMS=30_000, socketTimeoutMS=5000,
            retryReads=False,
        )  # fmt: skip
        # Journaled: a server that is killed must not forget the document by which this one knows its place.
        journaled = WriteConcern(w=1, j=True)
        self._collection = self._client[place[0]].get_collection(place[1], write_concern=journaled)
        self._translate, self._clock, self._prefix = translate, clock, prefix
        self._over = threading.Event()
        self._probe = f"witness-{uuid.uuid4().hex}"
        self._seen = threading.Event()
        self._again = threading.Event()
        self._keys: dict[Any, str] = {}  # a plain delete tells `_id` only
        self.changes: list[Change] = []
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Begin, and wait until nothing can be missed: until a document of our own was seen.

        A stream that is opened before there is a collection may be a stream of nothing; so one that
        has not told of our document after a while is opened anew.
        """
        self._thread.start()
        for number in range(300):
            with contextlib.suppress(PyMongoError):
                self._collection.replace_one({"_id": self._probe}, {"n": number}, upsert=True)
            if self._seen.wait(0.2):
                break
            if number % 10 == 9:
                self._again.set()
        assert self._seen.is_set(), "the change stream tells of no change"
        self._collection.delete_one({"_id": self._probe})

    def stop(self) -> None:
        """End. What has happened until now is in `changes`."""
        self._over.set()
        self._thread.join(60)
        self._client.close()

    def documents(self) -> dict[str, Document]:
        """What the database holds now."""
        found = dict(self._translate(stored) for stored in self._collection.find())
        return {k: d for k, d in found.items() if d is not None and k.startswith(self._prefix)}

    def _follow(self) -> None:
        token: Mapping[str, Any] | None = None
        while not self._over.is_set():
            with contextlib.suppress(PyMongoError):  # it is away just now: go on where we were
                at = token if self._seen.is_set() else None  # a blind stream's token is blind, too
                with self._collection.watch(
                    full_document="updateLookup", resume_after=at, max_await_time_ms=50
                ) as stream:
                    while not self._over.is_set() and stream.alive and not self._renewed():
                        event = stream.try_next()
                        token = stream.resume_token or token
                        if event is not None:
                            self._note(event)
            self._over.wait(0.02)

    def _renewed(self) -> bool:
        """Whether the stream is to be opened anew."""
        try:
            return self._again.is_set()
        finally:
            self._again.clear()

    def _note(self, event: Mapping[str, Any]) -> None:
        at, identity = self._clock(), event["documentKey"]["_id"]
        if identity == self._probe:
            self._seen.set()
            return
        document = event.get("fullDocument")
        if document is None:
            key = self._keys.get(identity)
            if key is not None:
                self._change(at, key, None)
            return
        key, meant = self._translate(document)
        self._keys[identity] = key
        self._change(at, key, meant)

    def _change(self, at: float, key: str, document: Document | None) -> None:
        if key.startswith(self._prefix):
            self.changes.append(Change(at, key, document))

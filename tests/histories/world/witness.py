"""Writes down every change of the database as the database tells it, past every proxy."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pymongo import MongoClient
from pymongo.command_cursor import CommandCursor
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from tests.histories.verdict.history import Change, Document

Translate = Callable[[Mapping[str, Any]], tuple[str, Document | None]]
"""From a stored document to its key and what the recipe means by it; None for a tombstone."""

_TOLD_WITHIN = 30.0
"""Seconds in which a database that is calm tells of a change."""


class Witness(Protocol):
    """Follows the changes of the documents whose keys have a prefix."""

    changes: list[Change]

    def start(self) -> None:
        """Begin, and wait until nothing can be missed."""

    def stop(self) -> None:
        """End. What has happened until now is in `changes`."""

    def documents(self) -> dict[str, Document]:
        """What the database holds now."""

    def sees(self) -> bool:
        """Whether it is told of what happens now."""


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
        self._first: Mapping[str, Any] | None = None  # the place of our document
        self._noted: set[str] = set()
        self._keys: dict[Any, str] = {}  # a plain delete tells `_id` only
        self._stored: dict[Any, Mapping[str, Any]] = {}
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

    def sees(self) -> bool:
        """Whether it is told of what happens now: of a document of its own."""
        self._seen.clear()
        with contextlib.suppress(PyMongoError):
            self._collection.replace_one({"_id": self._probe}, {"n": -1}, upsert=True)
            self._seen.wait(_TOLD_WITHIN)
            self._collection.delete_one({"_id": self._probe})
        return self._seen.is_set()

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
        while not self._over.is_set():
            with contextlib.suppress(PyMongoError):  # it is away just now
                with self._opened() as stream:
                    while not self._over.is_set() and stream.alive and not self._renewed():
                        event = stream.try_next()
                        if event is not None and event["_id"]["_data"] not in self._noted:
                            self._noted.add(event["_id"]["_data"])
                            self._note(event)
            self._over.wait(0.02)

    def _opened(self) -> CommandCursor[Any]:
        """The changes from our own document on, which was journaled.

        Not from the last change on, as `watch` would by itself: a server that was killed may have lost that one,
        and then gives its number to another, which would be past already.
        """
        words: dict[str, Any] = {"fullDocument": "updateLookup"}
        words |= {"resumeAfter": self._first} if self._first else {}
        return self._collection.aggregate([{"$changeStream": words}], maxAwaitTimeMS=50)

    def _renewed(self) -> bool:
        """Whether the stream is to be opened anew."""
        try:
            return self._again.is_set()
        finally:
            self._again.clear()

    def _note(self, event: Mapping[str, Any]) -> None:
        at, identity = self._clock(), event["documentKey"]["_id"]
        if identity == self._probe:
            self._first = self._first or event["_id"]
            self._seen.set()
            return
        document = self._after(identity, event)
        if document is None:
            key = self._keys.get(identity)
            if key is not None:
                self._change(at, key, None)
            return
        self._stored[identity] = document
        key, meant = self._translate(document)
        self._keys[identity] = key
        self._change(at, key, meant)

    def _after(self, identity: object, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The document after a change, as the event itself tells: one that is looked up is of later, when it is read.

        Not where a recipe has no versions: its writes are not journaled, so what was told may be gone after a kill.
        """
        told = event.get("updateDescription") or {}
        changed = told.get("updatedFields", {})
        before = self._stored.get(identity, {"_id": identity} if "_deleted" in changed else None)
        if before is None or "_v" not in changed:
            return event.get("fullDocument")
        return {n: v for n, v in before.items() if n not in told["removedFields"]} | changed

    def _change(self, at: float, key: str, document: Document | None) -> None:
        if key.startswith(self._prefix):
            self.changes.append(Change(at, key, document))

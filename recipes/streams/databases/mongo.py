"""MongoDB as the system of record."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReplaceOne, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, ConfigurationError, PyMongoError

from ..core.documents import MOST_BYTES, complaint
from ..core.errors import Misconfigured, Unavailable
from ..core.faults import outage
from .sink import (
    ANSWERS_WITHIN,
    NO_VERSION,
    TOMBSTONE_SECONDS,
    Change,
    Refusals,
    Rejected,
    Routes,
    Stored,
)

_DUPLICATE = 11000  # MongoDB's code of a key that is there already
_OF_THE_SERVER = frozenset({
    1, 8, 13, 18, 39, 8000,  # internal, unknown, no rights, no file, what Atlas refuses
    12501, 14031, 146, 365,  # quota, disk and memory are full, a tenant moves
    24, 46, 50, 112, 117, 225, 246, 262, 290, 50000,  # locks, time, conflicts: another time
    6, 7, 89, 91, 189, 202, 317, 9001, 10058, 10107, 11600, 11602, 13435, 13436,  # who is primary?
    63, 133, 134, 150, 13388,  # shards move
})  # fmt: skip
"""Codes of writeErrors that are no document's fault: its next attempt is not counted."""

_Operation = ReplaceOne[Any] | UpdateOne


class MongoSink:
    """Bulk writes with a version fence, journaled before they count.

    `routes` maps prefixes of keys to collections of the URL's database. A document's `_id` is its
    key and `_v` its version; a deleted one leaves `{_id, _v, _deleted: true, _at}` for a day, so
    readers ask for `_deleted: null`.
    """

    def __init__(self, url: str, routes: Mapping[str, str]) -> None:
        self.routes = Routes(routes)
        try:
            self.client: MongoClient[Any] = MongoClient(
                url, serverSelectionTimeoutMS=2000, connectTimeoutMS=2000, appname="write-behind",
                socketTimeoutMS=int(ANSWERS_WITHIN * 1000),
            )  # fmt: skip
            database = self.client.get_default_database()
        except (ConfigurationError, ValueError) as error:
            raise Misconfigured(f"MongoDB: {error}; as in mongodb://host:27017/movies") from error
        # Property 2: acknowledged means journaled, by a majority.
        self.database = database.with_options(write_concern=WriteConcern(w="majority", j=True))

    def open(self) -> None:
        """Make the index that lets tombstones expire."""
        try:
            for name in self.routes.names():
                self.database[name].create_index("_at", expireAfterSeconds=TOMBSTONE_SECONDS)
        except PyMongoError as error:
            raise outage("MongoDB", error) from error

    def write(self, changes: Sequence[Change]) -> Refusals:
        """One bulk a collection."""
        rejected = Refusals()
        bulks: dict[str, list[tuple[Change, _Operation]]] = {}
        for change in changes:
            name = self.routes.of(change.key)
            operation = _operation(change) if name else f"no route for the key {change.key!r}"
            if name is None or isinstance(operation, str):
                rejected.append(Rejected(change, str(operation)))
            else:
                bulks.setdefault(name, []).append((change, operation))
        for name, bulk in bulks.items():
            rejected.add(self._write(self.database[name], bulk))
        return rejected

    def _write(
        self, collection: Collection[Any], bulk: list[tuple[Change, _Operation]]
    ) -> Refusals:
        try:
            collection.bulk_write([operation for _, operation in bulk], ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            if concern := details.get("writeConcernErrors"):
                raise Unavailable(f"MongoDB: {concern[0].get('errmsg')}") from error
            errors = details.get("writeErrors", [])
            found = Refusals(_rejected(bulk, errors))
            late = [bulk[e["index"]][0].key for e in errors if _is_stale(e)]
            found.newest = self._newest(collection, late) if late else ""
            return found
        except PyMongoError as error:
            raise outage("MongoDB", error) from error
        return Refusals()

    def _newest(self, collection: Collection[Any], keys: Sequence[str]) -> str:
        try:
            found = list(collection.find({"_id": {"$in": keys}}, {"_v": 1}))
        except PyMongoError as error:
            raise outage("MongoDB", error) from error
        return max((str(one.get("_v", "")) for one in found), default="")

    def read(self, key: str) -> Stored | None:
        """One document, by its key."""
        name = self.routes.of(key)
        try:
            found = self.database[name].find_one({"_id": key}) if name else None
        except PyMongoError as error:
            raise outage("MongoDB", error) from error
        return _stored(found) if found else None

    def scan(self, after: str = "") -> Iterator[Stored]:
        """All collections in the order of `_id`, which MongoDB compares as bytes."""
        try:
            cursors = [
                self.database[name].find({"_id": {"$gt": after}}).sort("_id", 1)
                for name in self.routes.names()
            ]
            for found in heapq.merge(*cursors, key=lambda found: str(found["_id"]).encode()):
                yield _stored(found)
        except PyMongoError as error:
            raise outage("MongoDB", error) from error

    def greatest_version(self) -> str | None:
        """Reads all documents: asked for only when Redis has lost a stream."""
        greatest: list[Mapping[str, Any]] = [
            {"$match": {"_v": {"$lt": NO_VERSION}}},
            {"$group": {"_id": None, "_v": {"$max": "$_v"}}},
        ]
        try:
            found = [list(self.database[n].aggregate(greatest)) for n in self.routes.names()]
        except PyMongoError as error:
            raise outage("MongoDB", error) from error
        return max((str(row["_v"]) for rows in found for row in rows if row["_v"]), default=None)

    def purge(self) -> None:
        """MongoDB's TTL index does it; made again, because whoever drops a collection drops it."""
        self.open()

    def close(self) -> None:
        """Close the client."""
        self.client.close()


def _operation(change: Change) -> _Operation | str:
    """Property 3: a fenced upsert. Property 5: a delete is one, too. A text says why not.

    Property 10: change of schema. The whole document takes the place of the old one, so a field
    that was removed is gone, and each keeps its type.
    """
    fields: dict[str, Any] = {"_id": change.key, "_v": change.version}
    if change.document is not None:
        if problem := complaint(change.document):
            return problem
        fields |= change.document
    try:
        # Encoded here, once, because an error in the middle of a bulk would name no document.
        encoded = bson.encode(fields)
    except (
        Exception
    ) as error:  # bson raises many kinds, RecursionError and OverflowError among them
        return f"{type(error).__name__}: {error}"
    if len(encoded) > MOST_BYTES + 64 * 1024:
        return f"the document has {len(encoded):,} bytes as BSON, and 16 MB fit"
    fence = {"_id": change.key, "_v": {"$lt": change.version}}
    if change.document is None:
        return UpdateOne(fence, _tombstone(fields), upsert=True)
    return ReplaceOne(fence, RawBSONDocument(encoded), upsert=True)


def _tombstone(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What takes a deleted document's place, as an update.

    Its time is MongoDB's own, by which it expires: by the clock of a worker that is a day behind it
    would be gone at once, and a late write would bring the document back.
    """
    stone = {**fields, "_deleted": True}
    return [{"$replaceWith": {n: {"$literal": v} for n, v in stone.items()} | {"_at": "$$NOW"}}]


def _rejected(
    bulk: list[tuple[Change, _Operation]], errors: Sequence[Mapping[str, Any]]
) -> Iterator[Rejected]:
    for error in errors:
        if error["code"] in _OF_THE_SERVER:
            raise outage("MongoDB", error["errmsg"])
        if _is_stale(error):
            continue
        yield Rejected(bulk[error["index"]][0], f"{error['errmsg']} (code {error['code']})")


def _is_stale(error: Mapping[str, Any]) -> bool:
    """A newer version is stored, so the fenced upsert tried to insert the key again: a no-op."""
    if error["code"] != _DUPLICATE:
        return False
    pattern = error.get("keyPattern")
    return list(pattern) == ["_id"] if pattern else "_id_" in str(error["errmsg"])


def _stored(found: Mapping[str, Any]) -> Stored:
    document = {name: value for name, value in found.items() if name not in ("_id", "_v")}
    gone = document.get("_deleted") is True
    return Stored(str(found["_id"]), None if gone else document, str(found.get("_v", "")))

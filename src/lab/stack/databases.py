"""Databases that are gone for good once they are dropped."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient, WriteConcern

_JOURNALED = WriteConcern("majority", j=True)


def drop(client: MongoClient[dict[str, Any]], name: str) -> None:
    """Drop a database, so that not even SIGKILL brings it back.

    SecantusDB has a drop in its journal a little later. What is deleted first, with the journal waited
    for, stays deleted.
    """
    database = client[name]
    for collection in database.list_collection_names():
        database.get_collection(collection, write_concern=_JOURNALED).delete_many({})
    client.drop_database(name)

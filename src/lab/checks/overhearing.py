"""A collection for a check, and what a learner's function asks MongoDB to write into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from lab.checks.exercise import Answer

_STATEMENTS = {"insert": "documents", "update": "updates", "delete": "deletes"}


class Requests(CommandListener):
    """What a client has asked for. `journaled` is whether each bulk wants the journal to have it first."""

    def __init__(self) -> None:
        self.documents, self.requests, self.journaled = 0, 0, True

    def started(self, event: CommandStartedEvent) -> None:
        """See pymongo."""
        statements = _STATEMENTS.get(event.command_name)
        self.requests += bool(statements) or event.command_name == "findAndModify"
        if statements:
            self.documents += len(event.command[statements])
            self.journaled &= bool(event.command.get("writeConcern", {}).get("j"))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See pymongo."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See pymongo."""


@contextmanager
def overheard(answer: Answer, name: str) -> Iterator[tuple[Collection[dict[str, Any]], Requests]]:
    """An empty collection of the stack's database, and what is asked of it. It is gone afterwards."""
    requests = Requests()
    client: MongoClient[dict[str, Any]] = MongoClient(
        answer.stack.mongo_url, event_listeners=[requests], serverSelectionTimeoutMS=5000
    )
    with client:
        collection = client[answer.stack.db.name][name]
        collection.drop()
        try:
            yield collection, requests
        finally:
            collection.drop()

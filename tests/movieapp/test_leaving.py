"""What the app wrote through streams is in the database of the other ways, once that way is left."""

from __future__ import annotations

from typing import Any

import pymongo
import pytest
from pymongo.database import Database
from pymongo.monitoring import CommandListener, CommandStartedEvent
from starlette.testclient import TestClient

from lab.stack.model import Stack
from movieapp import models
from movieapp.writing.writers import Mode
from tests.movieapp.conftest import choose, typed, was


class Written(CommandListener):
    """What looks for a document to change, of all that is sent."""

    def __init__(self) -> None:
        self.filters: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        command = event.command
        for write in (*command.get("updates", ()), *command.get("deletes", ())):
            self.filters.append(write["q"])

    def succeeded(self, event: object) -> None: ...
    def failed(self, event: object) -> None: ...


def test_it_is_found_by_its_id(
    app: TestClient, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else has an index: a thousand new pauses took SecantusDB longer than a connection waits."""
    choose(app, Mode.MONGO)
    assert app.post("/movies/901/save", data=typed(title="To be deleted")).status_code == 200
    assert app.post("/movies/902/save", data=typed(title="To be changed")).status_code == 200
    choose(app, Mode.STREAMS)
    app.post("/movies/901/delete", data={"was": was(app, "901")})
    app.post("/movies/902/save", data=typed(title="Changed", was=was(app, "902")))
    app.post("/movies/903/save", data=typed(title="New"))
    for viewer in range(20):
        app.post("/movies/1/pause", data={"seconds": "61"}, headers={"x-viewer": f"v{viewer}"})

    written = Written()

    def heard(url: str, _: float) -> Database[dict[str, Any]]:
        return pymongo.MongoClient(url, event_listeners=[written]).get_database(models.DATABASE)

    monkeypatch.setattr(models, "connect_mongo", heard)
    choose(app, Mode.MONGO)
    assert written.filters
    assert {name for one in written.filters for name in one} == {"_id"}
    titles = {d["movieId"]: d["title"] for d in stack.db.movies.find({"movieId": {"$gte": "901"}})}
    assert titles.items() >= {"902": "Changed", "903": "New"}.items()
    assert "901" not in titles
    assert stack.db.pauses.count_documents({"user": {"$regex": "^v[0-9]+$"}}) == 20

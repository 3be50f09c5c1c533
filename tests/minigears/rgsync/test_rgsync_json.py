"""RGJSONWriteBehind and RGJSONWriteThrough of rgsync 1.2.0, with MongoDB."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import wait_for
from tests.minigears.rgsync.rgsyncscripts import MONGO, Recipe, json_write_behind, mongo_connector

pytestmark = [pytest.mark.xdist_group("rgsync-json"), pytest.mark.usefixtures("needs_json")]


@pytest.fixture
def write_behind(recipe: Recipe, mongo: MongoServer) -> Recipe:
    """rgsync as its README registers it."""
    connector = mongo_connector(mongo.url)
    recipe.register(json_write_behind(connector), MONGO)
    return recipe


def documents(movies: Any) -> dict[Any, Any]:
    return {one.pop("movieId"): one for one in movies.find({}, {"_id": 0})}


def test_documents_follow_their_keys(write_behind: Recipe, movies: Any) -> None:
    json = write_behind.client.json()
    pipe = write_behind.client.pipeline(transaction=False)
    for i in range(250):
        pipe.json().set(f"movie:{i}", "$", {"title": f"t{i}", "n": {"a": [1, 2.5, None, True]}})
    pipe.execute()
    json.set("movie:1", "$.title", "other")
    json.arrappend("movie:2", "$.n.a", "more")
    write_behind.client.delete("movie:3")
    json.delete("movie:4")
    expected = {str(i): {"title": f"t{i}", "n": {"a": [1, 2.5, None, True]}} for i in range(250)}
    expected["1"]["title"] = "other"
    expected["2"]["n"] = {"a": [1, 2.5, None, True, "more"]}
    del expected["3"], expected["4"]
    wait_for(lambda: documents(movies) == expected, what="the documents")
    assert write_behind.waiting() == []
    assert write_behind.reader("KeysReader").failed == 0
    assert write_behind.reader("StreamReader").failed == 0


def test_events_that_rgsync_does_not_listen_to_change_nothing(write_behind: Recipe) -> None:
    json = write_behind.client.json()
    json.set("movie:1", "$", {"n": 1})
    json.numincrby("movie:1", "$.n", 1)
    json.merge("movie:1", "$", {"n": 5})
    write_behind.client.rename("movie:1", "movie:2")
    assert write_behind.reader("KeysReader").triggered == 1


def test_an_apostrophe_stops_the_stream_for_good(write_behind: Recipe, movies: Any) -> None:
    json = write_behind.client.json()
    json.set("movie:1", "$", {"title": "Schindler's List"})
    error = write_behind.failure(times=1)
    assert error.startswith("['Traceback")
    assert "AttributeError: 'str' object has no attribute 'items'" in error
    json.set("movie:2", "$", {"title": "Metropolis"})
    write_behind.failure(times=2)
    waiting = write_behind.waiting()
    assert [entry["movieId"] for entry in waiting] == ["1", "2"]
    assert waiting[0] == {
        "_original_key": "movie:1",
        "movieId": "1",
        "#": "=",
        "redisgears": """{"title":"Schindler's List"}""",
    }
    assert documents(movies) == {}


def test_a_database_that_is_away_is_tried_until_it_is_back(
    recipe: Recipe, mongo: MongoServer, movies: Any
) -> None:
    connector = mongo_connector(mongo.url)
    recipe.register(json_write_behind(connector), MONGO)
    mongo.stop(signal.SIGTERM)
    try:
        recipe.client.json().set("movie:1", "$", {"n": 1})
        recipe.client.json().set("movie:2", "$", {"n": 2})
        error = recipe.failure(times=2)
    finally:
        mongo.start()
    assert 'Got exception when writing to DB, query="None", error=' in error
    wait_for(lambda: documents(movies) == {"1": {"n": 1}, "2": {"n": 2}}, what="the documents")
    wait_for(lambda: recipe.waiting() == [], what="an empty stream")


def test_exactly_once_never_works(recipe: Recipe, mongo: MongoServer, movies: Any) -> None:
    connector = mongo_connector(mongo.url, once="seen")
    recipe.register(json_write_behind(connector), MONGO)
    recipe.client.json().set("movie:1", "$", {"n": 1})
    error = recipe.failure()
    assert "Failed connecting to database" in error
    assert "object is not callable" in error
    assert [entry["movieId"] for entry in recipe.waiting()] == ["1"]
    assert documents(movies) == {}


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("movie:1", "IndexError: list index out of range"),
        ("movie:{1}", "TypeError: 'NoneType' object is not iterable"),
    ],
)
def test_json_write_through_never_works(
    recipe: Recipe, mongo: MongoServer, movies: Any, key: str, error: str
) -> None:
    connector = mongo_connector(mongo.url)
    script = "from rgsync import RGJSONWriteThrough\n" + connector
    script += "RGJSONWriteThrough(GB, keysPrefix='movie', connector=connector, name='Movies')"
    recipe.register(script, MONGO)
    assert recipe.client.json().set(key, "$", {"n": 1})
    assert error in recipe.failure("KeysReader")
    assert documents(movies) == {}

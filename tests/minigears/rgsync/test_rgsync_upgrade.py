"""rgsync's own check of versions, and what an upgrade leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import wait_for
from tests.minigears.rgsync.rgsyncscripts import MONGO, Recipe, json_write_behind, mongo_connector

pytestmark = [pytest.mark.xdist_group("rgsync-json"), pytest.mark.usefixtures("needs_json")]

NOWHERE = "mongodb://127.0.0.1:1"


def register(recipe: Recipe, version: str, url: str = NOWHERE, name: str = "Movies") -> None:
    recipe.register(json_write_behind(mongo_connector(url), name, version), MONGO)


def ids(recipe: Recipe) -> list[str]:
    return sorted(one.id for one in recipe.registrations())


def test_a_higher_version_replaces_a_lower_one(recipe: Recipe) -> None:
    register(recipe, "1.2.3")
    before = ids(recipe)
    register(recipe, "1.10.0")
    after = ids(recipe)
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)


@pytest.mark.parametrize("version", ["1.2.3", "1.2.2"])
def test_the_same_or_a_lower_version_is_refused(recipe: Recipe, version: str) -> None:
    register(recipe, "1.2.3")
    before = ids(recipe)
    with pytest.raises(redis.ResponseError, match="greater or equals current version, aborting"):
        register(recipe, version)
    assert ids(recipe) == before


def test_99_replaces_even_itself(recipe: Recipe) -> None:
    register(recipe, "99.99.99")
    before = ids(recipe)
    register(recipe, "99.99.99")
    assert not set(before) & set(ids(recipe))


def test_a_name_that_is_part_of_another_replaces_that_one(recipe: Recipe) -> None:
    register(recipe, "1.0.0", name="OldMovies")
    register(recipe, "1.0.1", name="Movies")
    assert sorted(one.name for one in recipe.registrations()) == [
        "Movies.KeysReader",
        "Movies.StreamReader",
    ]


def test_a_script_that_fails_after_the_check_leaves_neither_version(recipe: Recipe) -> None:
    register(recipe, "1.0.0")
    script = json_write_behind(mongo_connector(NOWHERE), version="1.0.1") + "\nraise Exception('x')"
    with pytest.raises(redis.ResponseError, match="Exception: x"):
        recipe.register(script, MONGO)
    assert recipe.registrations() == []


def test_an_upgrade_orphans_what_was_not_written_yet(
    recipe: Recipe, mongo: MongoServer, movies: Any
) -> None:
    register(recipe, "1.0.0")
    recipe.client.json().set("movie:1", "$", {"n": 1})
    recipe.failure()
    register(recipe, "1.0.1", mongo.url)
    recipe.client.json().set("movie:2", "$", {"n": 2})
    wait_for(lambda: movies.count_documents({"movieId": "2"}), what="the later write")
    assert [entry["movieId"] for entry in recipe.waiting()] == ["1"]
    assert len(recipe.streams()) == 2
    assert movies.count_documents({}) == 1

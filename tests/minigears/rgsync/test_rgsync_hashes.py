"""RGWriteBehind and RGWriteThrough of rgsync 1.2.0, with SQL databases; and why not with MongoDB."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import wait_for
from tests.minigears.rgsync.databases import COLUMNS, Database, persons
from tests.minigears.rgsync.rgsyncscripts import (
    MONGO,
    Recipe,
    mongo_connector,
    sql_connector,
    write_behind,
    write_through,
)

pytestmark = pytest.mark.xdist_group("rgsync-hashes")

JAMES = {"first_name": "James", "last_name": "O'Bond", "age": 42}
ADA = {"first_name": "Ada", "last_name": "Lovelace", "age": 36}
JAMES_ROW = ("007", "James", "O'Bond", 42)
ADA_ROW = ("1", "Ada", "Lovelace", 36)


@pytest.fixture
def behind(recipe: Recipe, database: Database) -> Recipe:
    """RGWriteBehind as rgsync's README registers it."""
    recipe.register(write_behind(sql_connector(database)), database.requirements)
    return recipe


@pytest.fixture
def through(recipe: Recipe, database: Database) -> Recipe:
    """RGWriteThrough as rgsync's README registers it."""
    recipe.register(write_through(sql_connector(database)), database.requirements)
    return recipe


def expect(database: Database, *rows: Any) -> None:
    wait_for(
        lambda: persons(database) == list(rows), what=lambda: f"{rows}, got {persons(database)}"
    )


def test_rows_follow_their_hashes(behind: Recipe, database: Database) -> None:
    behind.client.hset("person:007", mapping=JAMES)
    behind.client.hset("person:1", mapping=ADA)
    expect(database, JAMES_ROW, ADA_ROW)
    pipe = behind.client.pipeline(transaction=False)
    pipe.hset("person:1", "age", 37).delete("person:007").hset("person:2", mapping=ADA).execute()
    expect(database, (*ADA_ROW[:3], 37), ("2", *ADA_ROW[1:]))
    wait_for(lambda: behind.waiting() == [], what="an empty stream")
    assert behind.reader("KeysReader").failed == 0
    assert behind.reader("StreamReader").failed == 0


def test_a_write_is_acknowledged_when_the_database_has_it(
    behind: Recipe, database: Database
) -> None:
    client = behind.client
    client.hset("person:007", mapping=JAMES | {"#": "=first"})
    assert client.hgetall("person:007") == {k: str(v) for k, v in JAMES.items()}
    assert behind.acknowledgement("person:007", "first") == {"status": "done"}
    assert persons(database) == [JAMES_ROW]
    wait_for(lambda: 3500 < client.ttl("{person:007}first") <= 3600, what="an hour to live")
    client.hset("person:007", "#", "~second")
    assert not client.exists("person:007")
    assert behind.acknowledgement("person:007", "second") == {"status": "done"}
    assert persons(database) == []


def test_what_is_not_to_be_replicated_stays_in_redis(behind: Recipe, database: Database) -> None:
    client = behind.client
    client.hset("person:007", mapping=JAMES | {"#": "+first"})
    assert behind.acknowledgement("person:007", "first") == {"status": "done"}
    assert client.hget("person:007", "age") == "42"
    client.hset("person:007", "#", "-second")
    assert behind.acknowledgement("person:007", "second") == {"status": "done"}
    assert not client.exists("person:007")
    client.hset("person:1", mapping=ADA)
    expect(database, ADA_ROW)


def test_without_an_id_it_acknowledges_to_a_stream_named_none(behind: Recipe) -> None:
    behind.client.hset("person:007", mapping=JAMES | {"#": "+"})
    assert behind.acknowledgement("person:007", "None") == {"status": "done"}


def test_a_hash_without_a_mapped_field_is_lost(behind: Recipe, database: Database) -> None:
    assert behind.client.hset("person:007", mapping={"first_name": "James", "age": 42}) == 2
    error = behind.failure("KeysReader")
    assert "Exception: AddToStream: Could not find last_name in hash person:007" in error
    assert behind.streams() == []
    behind.client.hset("person:1", mapping=ADA)
    expect(database, ADA_ROW)


def test_an_unknown_operation_is_refused(behind: Recipe) -> None:
    behind.client.hset("person:007", mapping=JAMES | {"#": "?"})
    assert 'Exception: Got unknown operations "?"' in behind.failure("KeysReader")
    assert behind.streams() == []


def test_a_table_that_is_missing_is_waited_for(behind: Recipe, database: Database) -> None:
    database.run("drop table persons")
    behind.client.hset("person:007", mapping=JAMES)
    behind.client.hset("person:1", mapping=ADA)
    error = behind.failure(times=2)
    assert "Got exception when writing to DB" in error
    assert "persons" in error
    assert [entry["person_id"] for entry in behind.waiting()] == ["007", "1"]
    database.run(f"create table persons ({COLUMNS})")
    expect(database, JAMES_ROW, ADA_ROW)
    wait_for(lambda: behind.waiting() == [], what="an empty stream")


def test_a_row_that_the_database_refuses_stops_the_stream(
    behind: Recipe, database: Database
) -> None:
    if database.kind == "SQLite":
        database.run("drop table persons")
        database.run(f"create table persons ({COLUMNS} check (typeof(age) = 'integer'))")
    behind.client.hset("person:007", mapping=JAMES | {"age": "unknown"})
    behind.failure()
    behind.client.hset("person:1", mapping=ADA)
    behind.failure(times=2)
    assert [entry["person_id"] for entry in behind.waiting()] == ["007", "1"]
    assert persons(database) == []


def test_exactly_once_never_works(recipe: Recipe, database: Database) -> None:
    database.run("drop table if exists seen")
    database.run("create table seen (id varchar(50) primary key, val varchar(50))")
    recipe.register(write_behind(sql_connector(database, "seen")), database.requirements)
    recipe.client.hset("person:007", mapping=JAMES)
    assert re.search(r"object has no attribute \W+exactlyOnceQuery", recipe.failure())
    assert [entry["person_id"] for entry in recipe.waiting()] == ["007"]
    assert persons(database) == []


def test_a_write_through_is_in_the_database_before_the_reply(
    through: Recipe, database: Database
) -> None:
    through.client.hset("__{person:007}", mapping=JAMES | {"#": "=first"})
    assert persons(database) == [JAMES_ROW]
    assert through.client.hget("person:007", "age") == "42"
    assert not through.client.exists("__{person:007}")
    assert through.acknowledgement("person:007", "first") == {"status": "done"}
    through.client.hset("__{person:007}", mapping={"age": 43, "#": "=second"})
    assert persons(database) == [(*JAMES_ROW[:3], 43)]
    assert through.client.hget("person:007", "last_name") == "O'Bond"
    through.client.hset("__{person:007}", mapping={"#": "~third"})
    assert persons(database) == []
    assert not through.client.exists("person:007")
    assert through.acknowledgement("person:007", "third") == {"status": "done"}


def test_a_write_through_that_fails_says_so_and_changes_nothing(
    through: Recipe, database: Database
) -> None:
    database.run("drop table persons")
    through.client.hset("__{person:007}", mapping=JAMES | {"#": "=first"})
    answer = through.acknowledgement("person:007", "first")
    assert answer["status"] == "failed"
    assert "persons" in answer["error"]
    assert through.client.keys("*person*") == ["{person:007}first"]


@pytest.mark.parametrize("script", [write_behind, write_through])
def test_hashes_never_reach_mongodb(
    recipe: Recipe, mongo: MongoServer, movies: Any, script: Any
) -> None:
    connector = mongo_connector(mongo.url).replace("'movieId'", "'person_id'")
    recipe.register(script(connector), MONGO)
    message = "WriteData() missing 1 required positional argument: 'dataKey'"
    if script is write_behind:
        recipe.client.hset("person:007", mapping=JAMES)
        assert message in recipe.failure()
        assert [entry["person_id"] for entry in recipe.waiting()] == ["007"]
    else:
        recipe.client.hset("__{person:007}", mapping=JAMES | {"#": "=first"})
        answer = recipe.acknowledgement("person:007", "first")
        assert answer["status"] == "failed"
        assert message in answer["error"]
    assert movies.count_documents({}) == 0

"""rgsync in a minigears, and the databases that it writes to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.freeports import free_ports
from tests.minigears.realgears import MiniGears
from tests.minigears.realmongo import MongoServer
from tests.minigears.rgsync.databases import COLUMNS, Database, Postgres, SQLite, postgres_programs
from tests.minigears.rgsync.rgsyncscripts import Recipe
from tests.programs import left_out


@pytest.fixture
def recipe(gears: MiniGears) -> Iterator[Recipe]:
    """An empty Redis in which scripts can be run."""
    with gears.client() as client:
        yield Recipe(gears, client)


@pytest.fixture
def movies(mongo: MongoServer) -> Iterator[Any]:
    """An empty collection."""
    with mongo.client() as client:
        client.app.movies.drop()
        yield client.app.movies


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A real PostgreSQL for the tests of a module."""
    programs = postgres_programs()
    if programs is None:
        left_out("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    server = Postgres(programs, tmp_path_factory.mktemp("postgres"), free_ports(1)[0])
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["SQLite", "Postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Each SQL database, with an empty table of persons."""
    if request.param == "SQLite":
        database: Database = SQLite(tmp_path_factory.mktemp("sqlite"))
    else:
        database = request.getfixturevalue("postgres")
    database.run("drop table if exists persons")
    database.run(f"create table persons ({COLUMNS})")
    return database

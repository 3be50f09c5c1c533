"""The command line, as a fixture."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from recipes.streams import Sink
from recipes.streams.cli import main
from tests.recipes.servers import MongoServer, PlainRedis

Run = Callable[..., Result]


@pytest.fixture
def run(redis_server: PlainRedis, mongo_server: MongoServer, mongo: Sink) -> Run:
    mongo.open()
    where = {
        "WRITEBEHIND_REDIS": redis_server.url,
        "WRITEBEHIND_DATABASE": f"{mongo_server.url}/test",
        "WRITEBEHIND_ROUTE": "Movie:=movies Person:=people",
        "WRITEBEHIND_PARTITIONS": "2",
        "COLUMNS": "200",
    }

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner(env=where).invoke(main, words)
        assert result.exit_code == code, result.output
        return result

    return run

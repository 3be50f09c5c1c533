"""MongoDB as system of record: whose fault an error is, and tombstones."""

from __future__ import annotations

import pytest

from recipes.streams import (
    Misconfigured,
    Sink,
    Unavailable,
    open_sink,
)
from recipes.streams.core.errors import Denied
from tests.recipes.servers import MongoServer
from tests.recipes.streams.databases.changes import change
from tests.recipes.streams.working import ROUTES


@pytest.fixture
def sink(mongo: Sink) -> Sink:
    return mongo


def test_a_broken_unique_index_is_the_documents_fault(
    mongo: Sink, mongo_server: MongoServer
) -> None:
    with mongo_server.client() as client:
        client.test.movies.create_index("title", unique=True)
        mongo.write([change("Movie:1", 1, {"title": "Alien"})])
        [rejected] = mongo.write(
            [change("Movie:2", 2, {"title": "Alien"}), change("Movie:3", 3, {})]
        )
    assert rejected.change.key == "Movie:2"
    assert mongo.read("Movie:3") is not None


def test_tombstones_expire(mongo: Sink, mongo_server: MongoServer) -> None:
    with mongo_server.client() as client:
        assert any(
            "expireAfterSeconds" in i for i in client.test.movies.index_information().values()
        )


def test_away_or_wrong_credentials_are_outages(mongo_server: MongoServer) -> None:
    for url in (
        "mongodb://127.0.0.1:1/test",
        f"mongodb://a:b@127.0.0.1:{mongo_server.port}/test",
    ):
        sink = open_sink(url, ROUTES)
        kind = Denied if "a:b@" in url else Unavailable
        with pytest.raises(kind, match="MongoDB"):
            sink.write([change("Movie:1", 1, {})])
        sink.close()


@pytest.mark.parametrize("url", ["mongodb://127.0.0.1", "mysql://x", "mongodb://a:b:c/x"])
def test_urls_that_cannot_be(url: str) -> None:
    with pytest.raises(Misconfigured):
        open_sink(url, ROUTES)

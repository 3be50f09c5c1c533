"""The judge's eye: a witness that has begun sees every change."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pymongo.collection import Collection
from pymongo.hello import Hello
from pymongo.write_concern import WriteConcern

from recipes.streams import Change as Written
from recipes.streams import open_sink
from recipes.streams.core.names import version_of
from tests.freeports import free_ports
from tests.histories.recipes.stores import TABLE, meant
from tests.histories.run import at_rest
from tests.histories.verdict.history import Change, Document
from tests.histories.world.witness import MongoWitness, Witness
from tests.recipes.servers import MongoServer, wait_for


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MongoServer]:
    """A database that has nothing yet."""
    server = MongoServer(tmp_path, free_ports(1)[0])
    server.start()
    yield server
    server.stop(signal.SIGKILL)


def sees(server: MongoServer) -> None:
    witness = MongoWitness(
        server.url, ("fresh", "movies"), lambda d: (d["_id"], {"n": d["n"]}), time.monotonic, "k"
    )
    witness.start()
    with server.client() as client:
        client["fresh"]["movies"].insert_one({"_id": "k1", "n": 1})
    wait_for(lambda: bool(witness.changes), 30, "the change to be seen")
    assert witness.documents() == {"k1": {"n": 1}}
    witness.stop()
    assert [(c.key, c.document) for c in witness.changes] == [("k1", {"n": 1})]


def test_a_collection_that_was_not_there(server: MongoServer) -> None:
    sees(server)


def test_a_server_that_is_killed_and_counts_anew_is_followed(server: MongoServer) -> None:
    """As in one of thirteen histories of gears: what the kill took had been told, and new changes got its numbers."""
    witness = MongoWitness(
        server.url, ("fresh", "movies"), lambda d: (d["_id"], {"n": d["n"]}), time.monotonic, "k"
    )
    witness.start()
    keys = iter(range(100_000))

    def some_are_lost() -> bool:
        with server.client() as client:
            movies = client["fresh"].get_collection(
                "movies", write_concern=WriteConcern(1, j=False)
            )
            mine = [f"k{next(keys)}" for _ in range(100)]
            for key in mine:
                movies.insert_one({"_id": key, "n": 1})
            wait_for(
                lambda: any(c.key == mine[-1] for c in witness.changes),
                60,
                "the last one to be told",
            )
        server.stop(signal.SIGKILL)
        server.start()
        with server.client() as client:
            return client["fresh"]["movies"].find_one({"_id": mine[-1]}) is None

    wait_for(some_are_lost, 120, "a kill that takes something")
    with server.client() as client:
        journaled = client["fresh"].get_collection("movies", write_concern=WriteConcern(1, j=True))
        journaled.insert_one({"_id": "k-later", "n": 2})
    wait_for(lambda: any(c.key == "k-later" for c in witness.changes), 30, "the change to be seen")
    assert witness.sees()
    witness.stop()
    told = [c.key for c in witness.changes]
    assert len(told) == len(set(told)), "nothing is told twice"


def test_what_was_deleted_twice_is_told_so_by_a_witness_that_comes_late(
    server: MongoServer,
) -> None:
    """As in seed 1000097 of kafka-group: it was told of the second deletion with what had been written since."""
    looks = threading.Event()
    looks.set()
    sink = open_sink(f"mongodb://127.0.0.1:{server.port}/judged?directConnection=true", {"": TABLE})
    sink.open()
    witness = MongoWitness(server.url, ("judged", TABLE), meant, lambda: float(looks.wait(60)), "k")
    witness.start()
    looks.clear()
    for n, document in enumerate([{"n": 1}, None, None, {"n": 3}], 1):
        sink.write([Written("k" * 40, document, version_of(f"1-{n}"))])
    looks.set()
    wait_for(lambda: len(witness.changes) == 4, 30, "the changes to be seen")
    witness.stop()
    sink.close()
    assert [change.document for change in witness.changes] == [{"n": 1}, None, None, {"n": 3}]


def test_a_stream_that_tells_nothing_is_opened_anew(
    server: MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, opened = Collection.aggregate, []

    def blind_at_first(self: Collection[Any], *args: Any, **options: Any) -> Any:
        opened.append(self)
        of = self if len(opened) > 1 else self.database["another"]
        return ask(of, *args, **options)

    monkeypatch.setattr(Collection, "aggregate", blind_at_first)
    sees(server)
    assert len(opened) > 1


def test_a_server_that_names_another_member_of_its_set_is_asked_all_the_same(
    server: MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Hello.all_hosts.fget
    assert told is not None
    monkeypatch.setattr(
        Hello, "all_hosts", property(lambda hello: {("elsewhere", 1)} if told(hello) else set())
    )
    sees(server)


def test_what_a_worker_had_in_its_hands_when_redis_lost_it_is_waited_for() -> None:
    """As in seed 1000134 of streams-everysec: a FLUSHALL emptied the queue while the database was away."""

    class Slow:
        def __init__(self) -> None:
            self.changes: list[Change] = []
            self._asked = 0

        def documents(self) -> dict[str, Document]:
            self._asked += 1
            if self._asked == 5:
                self.changes.append(Change(time.monotonic(), "k", {"a": 1}))
            return {"k": {"a": 1}} if self._asked >= 5 else {}

    assert at_rest(cast(Witness, Slow()), seconds=60, quiet=0.5) == {"k": {"a": 1}}

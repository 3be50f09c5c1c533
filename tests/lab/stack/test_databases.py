"""A database that is dropped is gone for good."""

from __future__ import annotations

import signal
from pathlib import Path

from pymongo import WriteConcern

from lab.stack.databases import drop
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer


def test_not_even_a_kill_brings_it_back(tmp_path: Path) -> None:
    server = MongoServer(tmp_path, free_ports(1)[0])
    server.start()
    try:
        with server.client() as client:
            journaled = WriteConcern("majority", j=True)
            movies = client["course"].get_collection("movies", write_concern=journaled)
            movies.insert_many([{"_id": number} for number in range(100)])
            drop(client, "course")
            assert client["course"].list_collection_names() == []
        server.stop(signal.SIGKILL)
        server.start()
        with server.client() as client:
            assert client["course"]["movies"].count_documents({}) == 0
    finally:
        server.stop(signal.SIGKILL)

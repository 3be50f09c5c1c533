"""The judge on PostgreSQL: its witness misses no change, and a short run of the recipe is cleared."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.histories.recipes.stores import TABLE, PostgreSQL
from tests.histories.recipes.streams import on_postgresql
from tests.histories.shortrun import assert_cleared
from tests.histories.world.faults import Deed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PostgreSQL]:
    store = PostgreSQL(tmp_path)
    store.part.start()
    store.prepare()
    yield store
    store.part.stop(signal.SIGKILL)


def test_the_witness_sees_every_change_through_a_crash(store: PostgreSQL) -> None:
    witness = store.witness("k")
    witness.start()
    upsert = (
        f"INSERT INTO {TABLE} (key, version, document) VALUES ('k1', %s, %s::jsonb)"
        " ON CONFLICT (key) DO UPDATE SET document = excluded.document"
    )
    for number in (1, 2, 1):
        with psycopg.connect(store.part.url) as connection:
            connection.execute(upsert, [str(number), f'{{"a": {number}}}'])
            connection.execute(upsert.replace("k1", "other"), ["1", "{}"])
        if number == 2:
            store.part.stop(signal.SIGKILL)
            store.part.start()
    assert witness.documents() == {"k1": {"a": 1}}
    with psycopg.connect(store.part.url) as connection:
        connection.execute(f"DELETE FROM {TABLE}")
    witness.stop()
    seen = [(change.key, change.document) for change in witness.changes]
    assert seen == [("k1", {"a": 1}), ("k1", {"a": 2}), ("k1", {"a": 1}), ("k1", None)]


def test_a_short_run_is_cleared(tmp_path: Path) -> None:
    assert_cleared(on_postgresql(), tmp_path, Deed.KILL, Deed.CUT)

"""A write goes from Redis into the database, by way of the queue."""

from __future__ import annotations

import pytest

from recipes.streams import Sink, WriteBehind
from tests.recipes.streams.working import Start
from tests.recipes.streams.writing import drained


def test_documents_and_deletes_arrive(wb: WriteBehind, sink: Sink, start_worker: Start) -> None:
    wb.set("Movie:1", {"title": "Schindler's List", "year": 1993})
    wb.set("Movie:2", {"title": "Gone"})
    wb.update("Movie:1", lambda movie: {**movie, "year": 1994, "genres": ["drama", "war"]})
    assert wb.delete("Movie:2", "Movie:3") == 1
    start_worker(sink)
    drained(wb)
    stored = sink.read("Movie:1")
    assert stored is not None
    assert stored.document == {
        "title": "Schindler's List",
        "year": 1994,
        "genres": ["drama", "war"],
    }
    gone = sink.read("Movie:2")
    assert gone is not None
    assert gone.document is None


@pytest.mark.parametrize("bad", [[1], "text", {"_id": 1}, {"n": 2**64}])
def test_what_no_database_takes_is_refused_at_once(wb: WriteBehind, bad: object) -> None:
    with pytest.raises(Exception, match=r"object|JSON|_id|64 bits"):
        wb.set("Movie:1", bad)
    assert wb.get("Movie:1") is None

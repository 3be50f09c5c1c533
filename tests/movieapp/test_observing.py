"""What is seen of a write when MongoDB gets it between two looks."""

from __future__ import annotations

from typing import Any

import pytest

import lab.tools.movieapp
from lab.stack.model import Stack
from movieapp.following.journeys import Journal, Stage
from movieapp.following.observer import Observer
from movieapp.writing.writers import Writer

STREAM, KEY = "observed", "MovieEntity:observed"


class Behind(Writer):
    """A way of writing whose worker is the test."""

    streams = (STREAM,)


def test_a_commit_between_two_looks_is_not_taken_for_a_lost_race(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = lab.tools.movieapp.surroundings(stack)
    journal, writer = Journal(), Behind(around)
    observer = Observer(around, journal, lambda: writer)
    document = {"movieId": "observed", "title": "Heat"}
    one = journal.begin("me", KEY, "Added Heat", document, 0.0, has_stream=True)
    entry = stack.redis_direct.xadd(STREAM, {"key": KEY})
    journal.queue(KEY, STREAM, str(entry))
    journal.deliver(STREAM, str(entry), 0.1)
    see = journal.see

    def commit_after_the_look(*seen: Any) -> None:
        """MongoDB has been read and holds nothing yet; now the worker commits and acknowledges."""
        see(*seen)
        if not stack.db.movies.find_one({"movieId": "observed"}):
            stack.db.movies.insert_one(dict(document))
            stack.redis_direct.xdel(STREAM, entry)

    monkeypatch.setattr(journal, "see", commit_after_the_look)
    try:
        observer._look_at_mongo([one])
        assert one.is_under_way
        observer._look_at_mongo([one])
        assert one.stage is Stage.COMMITTED
        assert one.committed is not None
    finally:
        observer.close()
        stack.redis_direct.delete(STREAM)
        stack.db.movies.delete_one({"movieId": "observed"})


def test_what_was_overtaken_is_told_once_its_entry_has_left(stack: Stack) -> None:
    around = lab.tools.movieapp.surroundings(stack)
    journal, writer = Journal(), Behind(around)
    observer = Observer(around, journal, lambda: writer)
    one = journal.begin("me", KEY, "Added Heat", {"movieId": "observed"}, 0.0, has_stream=True)
    entry = stack.redis_direct.xadd(STREAM, {"key": KEY})
    journal.queue(KEY, STREAM, str(entry))
    journal.deliver(STREAM, str(entry), 0.1)
    stack.redis_direct.delete(STREAM)
    try:
        observer._look_at_mongo([one])
        assert one.stage is Stage.OVERTAKEN
    finally:
        observer.close()

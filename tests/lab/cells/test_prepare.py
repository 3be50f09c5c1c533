"""`lab.prepare`: a stack in a known state, whatever was there."""

from __future__ import annotations

import json

import pytest

import lab
from lab.names import SEARCH_INDEX, movie_key
from lab.stack.model import Stack


def plain(documents: list[dict[str, object]]) -> list[dict[str, object]]:
    """Documents without MongoDB's own id, in the order of the data file."""
    without = [{k: v for k, v in document.items() if k != "_id"} for document in documents]
    return sorted(without, key=lambda document: int(str(document["movieId"])))


def in_redis(stack: Stack) -> list[dict[str, object]]:
    keys = list(stack.redis.scan_iter("MovieEntity:*", _type="ReJSON-RL"))
    return plain([found for [found] in stack.redis.json().mget(keys, "$")])


def test_movies_are_in_both_stores_whatever_was_there(stack: Stack) -> None:
    movies = lab.load_movies()
    lab.prepare("movies")
    stack.redis.json().set(movie_key("1"), "$.title", "changed")
    stack.redis.json().set(movie_key("no-such-movie"), "$", {"movieId": "0"})
    stack.redis.delete(movie_key("2"))
    stack.redis.set(movie_key("3"), "a string")
    stack.redis.set(f"{SEARCH_INDEX}:hash", "Redis OM's note of an index that is gone")
    stack.db.movies.delete_one({"movieId": "4"})
    stack.db.movies.insert_one({"movieId": "0"})
    lab.prepare("movies")
    assert in_redis(stack) == movies
    assert plain(list(stack.db.movies.find())) == movies
    assert not stack.redis.exists(f"{SEARCH_INDEX}:hash")


def test_movies_can_be_searched_and_looked_up(stack: Stack) -> None:
    lab.prepare("movies")
    assert stack.redis.ft(SEARCH_INDEX).search("@title:Schindler").total == 1
    found = stack.db.movies.find({"movieId": "1"}).explain()["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in json.dumps(found, default=str)


def test_empty_is_empty(stack: Stack) -> None:
    stack.redis.set("mine", 1)
    stack.db.mine.insert_one({})
    lab.prepare("empty")
    assert stack.redis.dbsize() == 0
    assert stack.db.list_collection_names() == []


def test_an_unknown_state_is_refused(stack: Stack) -> None:
    with pytest.raises(lab.LabError, match="Known: empty"):
        lab.prepare("full")
    with pytest.raises(lab.LabError, match="Choose one"):
        lab.prepare("write-behind", "write-through")

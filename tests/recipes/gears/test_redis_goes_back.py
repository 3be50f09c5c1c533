"""Redis is taken back, by a power cut, a backup or a late replica, and its clock is behind what it has lost."""

from __future__ import annotations

import pytest

import lab
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    OURS,
    dead_letters,
    in_mongo,
    in_redis,
    put,
    register,
    settle,
)

pytestmark = pytest.mark.xdist_group("recipes")


def ahead(stack: Stack) -> str:
    """A version that Redis has yet to give, an hour from now."""
    return f"{(int(stack.redis.time()[0]) + 3600) * 1000:020d}-{3:020d}"


@pytest.mark.parametrize("lost", ["a write", "a delete"])
def test_what_is_written_afterwards_arrives_in_order(stack: Stack, lost: str) -> None:
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1", "n": "old"})
    settle(stack)
    if lost == "a write":
        stack.db.movies.update_one({"movieId": "1"}, {"$set": {"_v": ahead(stack), "n": "lost"}})
    else:
        stack.db.movies.delete_one({"movieId": "1"})
        stack.db.movies_deleted.insert_one({"_id": "1", "_v": ahead(stack)})
    lab.stop("mongo")  # so that more than one batch waits
    for n in range(250):
        put(stack.redis, str(n), {"movieId": str(n), "n": n})
        put(stack.redis, "1", {"movieId": "1", "n": n})
    stack.redis.delete("MovieEntity:7")
    lab.start("mongo")
    settle(stack)
    assert in_mongo(stack) == in_redis(stack)
    assert len(in_mongo(stack)) == 249
    put(stack.redis, "1", {"movieId": "1", "n": "last"})
    settle(stack)
    assert {"movieId": "1", "n": "last"} in in_mongo(stack)
    assert dead_letters(stack) == []


def test_a_version_that_no_entry_can_have_is_a_strangers(stack: Stack) -> None:
    register(stack, OURS)
    stack.db.movies.insert_one({"movieId": "1", "_v": "z"})
    put(stack.redis, "1", {"movieId": "1", "n": 1})
    put(stack.redis, "2", {"movieId": "2", "n": 2})
    settle(stack)
    assert in_mongo(stack) == [{"movieId": "1"}, {"movieId": "2", "n": 2}]

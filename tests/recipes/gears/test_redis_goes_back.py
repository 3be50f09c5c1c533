"""Redis is taken back, by a power cut, a backup or a late replica, and its clock is behind what it has lost."""

from __future__ import annotations

import pytest

import lab
from lab.stack.gears import unregister_all
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    OURS,
    STREAM,
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
    return f"{milliseconds(stack) + 3_600_000:020d}-{3:020d}"


def milliseconds(stack: Stack) -> int:
    """What Redis's clock says."""
    seconds, microseconds = stack.redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


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


def test_what_was_lost_is_known_also_once_versions_have_passed_it(stack: Stack) -> None:
    """The clock has caught up before a batch has what was written meanwhile."""
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1", "n": "old"})
    settle(stack)
    lost = milliseconds(stack) + 1000
    wanted = {"$set": {"_v": f"{lost:020d}-{0:020d}", "n": "lost"}}
    stack.db.movies.update_one({"movieId": "1"}, wanted)
    lab.stop("mongo")
    put(stack.redis, "1", {"movieId": "1", "n": "new"})
    lab.wait_until(lambda: milliseconds(stack) > lost)
    put(stack.redis, "2", {"movieId": "2", "n": "later"})
    lab.start("mongo")
    settle(stack)
    assert in_mongo(stack) == in_redis(stack)


def test_what_comes_again_under_new_versions_shows_nothing_older(stack: Stack) -> None:
    """MongoDB has the last of a key already; in a batch before it the version of another turns out to be lost."""
    register(stack, OURS)
    lab.stop("mongo")
    put(stack.redis, "2", {"movieId": "2", "n": "new"})
    for n in range(250):
        put(stack.redis, "1", {"movieId": "1", "n": n})
    unregister_all(stack)
    lab.start("mongo")
    [[last, _]] = stack.redis.xrevrange(STREAM, count=1)
    ms, number = map(int, last.split("-"))
    stack.db.movies.insert_one({"movieId": "1", "_v": f"{ms:020d}-{number:020d}", "n": 249})
    stack.db.movies.insert_one({"movieId": "2", "_v": ahead(stack), "n": "lost"})
    with stack.db.movies.watch() as changes:
        register(stack, OURS)
        settle(stack)
        stack.db.movies.insert_one({"movieId": "end"})
        shown = []
        for change in changes:
            shown.append(change["fullDocument"])
            if shown[-1]["movieId"] == "end":
                break
    assert {one["n"] for one in shown if one["movieId"] == "1"} <= {249}
    stack.db.movies.delete_one({"movieId": "end"})
    assert in_mongo(stack) == in_redis(stack)


def test_a_version_that_no_entry_can_have_is_a_strangers(stack: Stack) -> None:
    register(stack, OURS)
    stack.db.movies.insert_one({"movieId": "1", "_v": "z"})
    put(stack.redis, "1", {"movieId": "1", "n": 1})
    put(stack.redis, "2", {"movieId": "2", "n": 2})
    settle(stack)
    assert in_mongo(stack) == [{"movieId": "1"}, {"movieId": "2", "n": 2}]

"""The write-through recipe: MongoDB has the write before the client has its reply, or the client is told."""

from __future__ import annotations

import pytest
import redis

import lab
from lab.cells.prepare import recipes
from lab.stack.gears import registrations
from lab.stack.model import Stack
from tests.recipes.gears.families import SHIPPED, in_mongo, put, register

pytestmark = pytest.mark.xdist_group("recipes")

OURS = (recipes() / "movies_write_through.py").read_text()
AS_SHIPPED = SHIPPED.replace("RGJSONWriteBehind", "RGJSONWriteThrough")


def test_every_kind_of_write_is_there_at_once(stack: Stack) -> None:
    register(stack, OURS)
    client = stack.redis
    put(client, "1", {"movieId": "1", "title": "Schindler's List", "tagline": "x"})
    assert in_mongo(stack) == [{"movieId": "1", "title": "Schindler's List", "tagline": "x"}]
    client.json().set("MovieEntity:1", "$.title", 'a "b"')
    client.json().delete("MovieEntity:1", "$.tagline")
    assert in_mongo(stack) == [{"movieId": "1", "title": 'a "b"'}]
    client.json().mset([("MovieEntity:2", "$", {}), ("MovieEntity:3", "$", {})])
    assert in_mongo(stack) == [
        {"movieId": "1", "title": 'a "b"'},
        {"movieId": "2"},
        {"movieId": "3"},
    ]
    client.rename("MovieEntity:1", "MovieEntity:a:b")
    client.delete("MovieEntity:2", "MovieEntity:3")
    assert in_mongo(stack) == [{"movieId": "a:b", "title": 'a "b"'}]


def test_rgsync_as_shipped_never_writes(stack: Stack) -> None:
    """Trap 14."""
    register(stack, AS_SHIPPED)
    put(stack.redis, "1", {"movieId": "1", "title": "Metropolis"})
    [registration] = registrations(stack.redis)
    assert int(registration["RegistrationData"]["numFailures"]) == 1
    assert in_mongo(stack) == []


def test_the_client_is_told_when_mongodb_refuses(stack: Stack) -> None:
    register(stack, OURS)
    with pytest.raises(redis.ResponseError, match="MongoDB did not confirm it: not a JSON object"):
        put(stack.redis, "1", [1])
    with pytest.raises(redis.ResponseError, match=r"MongoDB did not confirm it: .*8-byte ints"):
        put(stack.redis, "1", {"n": 2**64 - 1})


def confirmed(stack: Stack, document: dict[str, object]) -> bool:
    """Write, and tell whether MongoDB confirmed it. For a second after an outage it is not asked."""
    try:
        put(stack.redis, "1", document)
    except redis.ResponseError as error:
        if "away a moment ago" not in str(error):
            raise
        return False
    return True


def test_the_client_is_told_when_mongodb_is_away(stack: Stack) -> None:
    register(stack, OURS)
    put(stack.redis, "1", {"movieId": "1", "n": 1})
    lab.stop("mongo")
    try:
        with pytest.raises(redis.ResponseError, match="done in Redis, but MongoDB did not confirm"):
            put(stack.redis, "1", {"movieId": "1", "n": 2})
        assert stack.redis.json().get("MovieEntity:1") == {"movieId": "1", "n": 2}
    finally:
        lab.start("mongo")
    assert in_mongo(stack) == [{"movieId": "1", "n": 1}]
    lab.wait_until(lambda: confirmed(stack, {"movieId": "1", "n": 2}), "MongoDB to be asked again")
    assert in_mongo(stack) == [{"movieId": "1", "n": 2}]


def test_a_transaction_is_told_of_the_failure(stack: Stack) -> None:
    register(stack, OURS)
    with stack.redis.pipeline(transaction=True) as transaction:
        put(transaction, "1", {"movieId": "1"})
        put(transaction, "2", [2])
        good, bad = transaction.execute(raise_on_error=False)
    assert good is True
    assert "done in Redis, but MongoDB did not confirm it: not a JSON object" in str(bad)
    assert in_mongo(stack) == [{"movieId": "1"}]


def test_running_it_again_replaces_it(stack: Stack) -> None:
    register(stack, OURS)
    before = {registration["id"] for registration in registrations(stack.redis)}
    register(stack, OURS)
    after = {registration["id"] for registration in registrations(stack.redis)}
    assert len(before) == len(after) == 2
    assert not before & after

"""Each trap of rgsync 1.2.0: as shipped it fails the check that our recipe passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import lab
from lab.stack.gears import registrations
from lab.stack.model import Stack
from tests.recipes.gears.families import (
    OURS,
    SHIPPED,
    Document,
    dead_letters,
    in_mongo,
    part,
    put,
    register,
    settle,
)
from tests.recipes.writecommands import BASE

pytestmark = pytest.mark.xdist_group("recipes")

BIG = "x" * (16 * 1024 * 1024)
GOOD = {"movieId": "9", "title": "Metropolis"}


@dataclass(frozen=True)
class Trap:
    """What is written, one group after the other, and the documents that MongoDB shall hold then."""

    name: str
    groups: list[Callable[[Any], None]]
    documents: list[Document]
    error: str = ""
    """Part of the error in the dead letters; nothing: there is none."""
    payload: str = ""
    """Part of the document in the dead letters."""


def writes(movie_id: str, document: Any) -> Callable[[Any], None]:
    return lambda client: put(client, movie_id, document)


def poison(name: str, document: Any, error: str, payload: str) -> Trap:
    """A document that MongoDB cannot take, and a good one in the same batch."""

    def both(client: Any) -> None:
        put(client, "1", document)
        put(client, "9", GOOD)

    before: Document = {"movieId": "1", "title": "Nosferatu"}
    return Trap(name, [writes("1", before), both], [before, GOOD], error, payload)


def remove_field(client: Any) -> None:
    client.json().delete("MovieEntity:1", "$.tagline")


def two_with_colons(client: Any) -> None:
    for number in "123":
        put(client, f"a:b:{number}", {"movieId": f"a:b:{number}", "n": number})


def delete_with_colons(client: Any) -> None:
    client.delete("MovieEntity:a:b:2")


TRAPS = [
    *[
        Trap(name, [writes("1", document)], [document])
        for name, document in {
            "1: an apostrophe": {"movieId": "1", "title": "Schindler's List"},
            "1: a title that writes other fields": {"movieId": "1", "title": "','imdbRating':'10"},
            "3: a field with a dot": {"movieId": "1", "a.b": 1},
        }.items()
    ],
    Trap(
        "3: a field that is removed",
        [writes("1", {"movieId": "1", "tagline": "a"}), remove_field],
        [{"movieId": "1"}],
    ),
    poison("4, 13: an array", [1, 2], "not a JSON object", "[1,2]"),
    poison("4, 13: a scalar", 5, "not a JSON object", "5"),
    poison("4, 13: a text", "It's", "not a JSON object", "It's"),
    poison("4, 13: null", None, "not a JSON object", "null"),
    poison("4, 13: an _id", {"movieId": "1", "_id": 7}, "_id", '"_id":7'),
    poison("4, 13: over 64 bits", {"movieId": "1", "n": 2**64 - 1}, "8-byte ints", f"{2**64 - 1}"),
    poison("4, 13: over 16 MB", {"movieId": "1", "plot": BIG}, "larger than", BIG[:99]),
    poison("4, 13: a zero byte", {"movieId": "1", "a\0b": 1}, "NULL byte", "\\u0000"),
    Trap(
        "8: ids with colons",
        [two_with_colons, delete_with_colons],
        [{"movieId": f"a:b:{number}", "n": number} for number in "13"],
    ),
]

each_trap = pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)


def run(stack: Stack, recipe: str, trap: Trap) -> None:
    register(stack, recipe)
    for group in trap.groups:
        pipeline = stack.redis.pipeline(transaction=False)
        group(pipeline)
        pipeline.execute()
        settle(stack)


@each_trap
def test_our_recipe_avoids(stack: Stack, trap: Trap) -> None:
    run(stack, OURS, trap)
    assert in_mongo(stack) == trap.documents
    letters = dead_letters(stack)
    assert bool(letters) == bool(trap.error)
    for letter in letters:
        assert trap.error in letter["error"]
        assert trap.payload in letter["redisgears"]
        assert letter["_original_key"] == "MovieEntity:1"


@each_trap
def test_rgsync_as_shipped_falls_into(stack: Stack, trap: Trap) -> None:
    run(stack, SHIPPED, trap)
    assert in_mongo(stack) != trap.documents


TWICE = """
entry = {'movieId': '1', '#': '=', 'redisgears': '{"title": "x"}'}
for _ in range(2):
    connector.WriteData([{'id': '1-1', 'value': dict(entry)}], 'redisgears')
"""
"""The fields in the order in which the stream has them, which Gears does not promise to keep."""


@pytest.mark.parametrize(("recipe", "avoids"), [(OURS, True), (SHIPPED, False)])
def test_trap_2_the_key_stays_a_string(stack: Stack, recipe: str, avoids: bool) -> None:
    register(stack, recipe + TWICE)
    assert (in_mongo(stack) == [{"movieId": "1", "title": "x"}]) == avoids


@pytest.mark.parametrize(("recipe", "avoids"), [(OURS, True), (SHIPPED, False)])
def test_trap_5_one_client_for_all_batches(stack: Stack, recipe: str, avoids: bool) -> None:
    def connections() -> int:
        return int(stack.mongo.admin.command("serverStatus")["connections"]["totalCreated"])

    def write_batches(numbers: range) -> None:
        for number in numbers:
            put(stack.redis, "1", {"movieId": "1", "n": number})
            settle(stack)

    register(stack, recipe)
    write_batches(range(3))
    before = connections()
    write_batches(range(3, 6))
    assert (connections() == before) == avoids


@pytest.mark.parametrize(("recipe", "avoids"), [(OURS, True), (SHIPPED, False)])
def test_trap_10_a_new_version_finds_what_waits(stack: Stack, recipe: str, avoids: bool) -> None:
    register(stack, recipe)
    stack.redis.execute_command("RG.PAUSEREGISTRATIONS", part(stack, "StreamReader")["id"])
    put(stack.redis, "1", {"movieId": "1"})
    register(stack, recipe)
    assert len(registrations(stack.redis)) == 2
    put(stack.redis, "2", {"movieId": "2"})
    lab.wait_until(lambda: stack.db.movies.count_documents({"movieId": "2"}), "the new one works")
    assert (stack.db.movies.count_documents({"movieId": "1"}) == 1) == avoids


@pytest.mark.parametrize(("recipe", "avoids"), [(OURS, True), (SHIPPED, False)])
def test_trap_11_a_script_that_fails_leaves_the_old_one(
    stack: Stack, recipe: str, avoids: bool
) -> None:
    register(stack, recipe)
    before = registrations(stack.redis)
    mistaken = recipe.replace("mode='sync'", "mode='sync', eventTypes=5")
    mistaken = mistaken.replace("version='99.99.99'", "version='99.99.99', eventTypes=5")
    with pytest.raises(lab.LabError, match="eventTypes"):
        register(stack, mistaken)
    assert (registrations(stack.redis) == before) == avoids


CHANGES: dict[str, Callable[[Any, str], Any]] = {
    "merge": lambda c, key: c.execute_command("JSON.MERGE", key, "$", '{"n": 3}'),
    "mset": lambda c, key: c.execute_command("JSON.MSET", key, "$.n", "4"),
    "toggle": lambda c, key: c.execute_command("JSON.TOGGLE", key, "$.flag"),
    "clear": lambda c, key: c.execute_command("JSON.CLEAR", key, "$.list"),
    "numincrby": lambda c, key: c.execute_command("JSON.NUMINCRBY", key, "$.n", "1"),
    "nummultby": lambda c, key: c.execute_command("JSON.NUMMULTBY", key, "$.n", "5"),
    "numpowby": lambda c, key: c.execute_command("JSON.NUMPOWBY", key, "$.n", "3"),
    "copy": lambda c, key: c.copy(key, key + "-copy"),
    "rename": lambda c, key: c.rename(key, key + "-renamed"),
    "restore": lambda c, key: c.eval(
        "redis.call('RESTORE', KEYS[2], 0, redis.call('DUMP', KEYS[1]))", 2, key, key + "-restored"
    ),
    "expire": lambda c, key: c.pexpire(key, 1),
}
"""Ways to change a movie that rgsync does not listen to."""


def differing(stack: Stack) -> set[str]:
    """The changes after which MongoDB does not hold what Redis holds."""
    written = {document["movieId"]: document for document in in_mongo(stack)}
    wanted = {
        movie_id: {**stack.redis.json().get(key), "movieId": movie_id}
        for key in stack.redis.scan_iter("MovieEntity:*", count=1000)
        for movie_id in [key.partition(":")[2]]
    }
    movie_ids = {i for i in {*written, *wanted} if written.get(i) != wanted.get(i)}
    return {movie_id.partition("-")[0] for movie_id in movie_ids}


@pytest.mark.parametrize(("recipe", "missed"), [(OURS, set()), (SHIPPED, set(CHANGES))])
def test_trap_12_every_event_is_listened_to(stack: Stack, recipe: str, missed: set[str]) -> None:
    register(stack, recipe)
    for name in CHANGES:
        put(stack.redis, name, {"movieId": name, **BASE})
    settle(stack)
    for name, change in CHANGES.items():
        change(stack.redis, f"MovieEntity:{name}")
    lab.wait_until(lambda: not stack.redis.exists("MovieEntity:expire"), "it expired")
    put(stack.redis, "last", {"movieId": "last"})
    lab.wait_until(
        lambda: stack.db.movies.count_documents({"movieId": "last"}), "the last is there"
    )

    # Functions of different keys overlap, so the end of one may still be on its way.
    lab.wait_until(lambda: differing(stack) == missed, f"what differs is {missed or 'nothing'}")

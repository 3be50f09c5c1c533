"""Whatever changes a movie's key, MongoDB follows: every write command that this Redis has is tried at it."""

from __future__ import annotations

import contextlib
import json

import pytest
import redis

import lab
from lab.cells.prepare import recipes
from lab.stack.gears import registrations
from lab.stack.model import Stack
from tests.recipes.gears.families import OURS, dead_letters, put, queued, register
from tests.recipes.gears.test_traps import CHANGES
from tests.recipes.writecommands import (
    BASE,
    KEY,
    SOURCES,
    Words,
    cases,
    write_commands,
)

pytestmark = pytest.mark.xdist_group("recipes")
THROUGH = (recipes() / "movies_write_through.py").read_text()
REPLACING = {"copy", "del", "mset", "rename", "restore", "set", "setex", "sort", "unlink"}
"""Some that are known to replace a movie or to end it: they show that the words were well chosen."""


def follows(stack: Stack, movie_ids: list[str]) -> list[str]:
    """Those of the movies whose document is not what Redis has, JSON or nothing."""
    documents = stack.db.movies.find({}, {"_id": 0, "_v": 0, "_expires": 0})
    written = {document.pop("movieId"): document for document in documents}
    pipeline = stack.redis_direct.pipeline(transaction=False)
    for movie_id in movie_ids:
        pipeline.execute_command("JSON.GET", f"MovieEntity:{movie_id}")
    texts = pipeline.execute(raise_on_error=False)
    wanted = [json.loads(text) if isinstance(text, str) else None for text in texts]
    return [
        movie_id
        for movie_id, document in zip(movie_ids, wanted, strict=True)
        if written.get(movie_id) != document
    ]


@pytest.mark.parametrize("recipe", [OURS, THROUGH], ids=["behind", "through"])
def test_every_write_command_at_a_movie(stack: Stack, recipe: str) -> None:
    register(stack, recipe)
    client = stack.redis
    tried: dict[str, Words] = {}
    did: set[str] = set()
    for source, words in cases(stack.redis_direct):
        movie_id = f"case-{len(tried)}"
        key = f"MovieEntity:{movie_id}"
        tried[movie_id] = [source, *words]
        stack.redis_direct.delete(f"source:{source}")
        stack.redis_direct.execute_command(*SOURCES[source])
        client.execute_command("JSON.SET", key, "$", json.dumps(BASE))
        if words[0] == "restore":
            words = ["restore", KEY, "0", raw_dump(stack), "REPLACE"]
        said = [key if word == KEY else word for word in words]
        try:
            client.execute_command(*said)
            did.add(words[0])
        except redis.ResponseError:
            pass
    assert did >= REPLACING
    lab.wait_until(lambda: not queued(stack), "everything is written", 60)
    with contextlib.suppress(lab.LabError):  # which ones do not is said below
        lab.wait_until(lambda: not follows(stack, list(tried)), "MongoDB follows", 20)
    wrong = [tried[movie_id] for movie_id in follows(stack, list(tried))]
    assert wrong == []
    assert dead_letters(stack) == []


def test_what_no_named_command_did_is_written_through_all_the_same(stack: Stack) -> None:
    """RedisGears shows a registration with `commands` what these do and nothing else; minigears shows it all."""
    register(stack, THROUGH)
    listed = stack.redis_direct.execute_command("COMMAND").values()
    unnamed = {one["name"] for one in listed if {"movablekeys", "noscript"} & set(one["flags"])}
    tried = [(source, words) for source, words in cases(stack.redis_direct) if words[0] in unnamed]
    assert {words[0] for _, words in tried} >= {"sort", "georadius", "zunionstore", "zinterstore"}
    movies = [f"case-{number}" for number in range(len(tried) + 1)]
    for movie_id in movies:
        put(stack.redis, movie_id, BASE)
    [named] = [known["id"] for known in registrations(stack.redis) if ".Commands" in known["desc"]]
    stack.redis.execute_command("RG.UNREGISTER", named)
    for movie_id, (source, words) in zip(movies, tried, strict=False):
        stack.redis_direct.delete(f"source:{source}")
        stack.redis_direct.execute_command(*SOURCES[source])
        said = [f"MovieEntity:{movie_id}" if word == KEY else word for word in words]
        with contextlib.suppress(redis.ResponseError):
            stack.redis.execute_command(*said)
    stack.redis.pexpire(f"MovieEntity:{movies[-1]}", 1)
    with contextlib.suppress(lab.LabError):  # which ones do not is said below
        lab.wait_until(lambda: not follows(stack, movies), "MongoDB follows", 20)
    behind = set(follows(stack, movies))
    assert [
        words for movie_id, words in zip(movies, tried, strict=False) if movie_id in behind
    ] == []
    assert behind == set(), "the one that expired"
    assert len(stack.db.movies.distinct("movieId")) < len(tried)


def raw_dump(stack: Stack) -> bytes:
    """A string as RESTORE takes it: bytes, which a client that decodes would spoil."""
    url = stack.redis_direct.connection_pool.connection_kwargs
    raw = redis.Redis(
        host=url.get("host", "127.0.0.1"),
        port=url.get("port", 0),
        unix_socket_path=url.get("path"),
    )
    raw.set("source:dumped", "x")
    dumped = raw.dump("source:dumped")
    assert isinstance(dumped, bytes)
    return dumped


def test_every_command_of_redisjson_is_among_the_changes(stack: Stack) -> None:
    names = {name for name in write_commands(stack.redis_direct) if name.startswith("json.")}
    elsewhere = {"set", "del", "forget", "strappend", "arrappend", "arrinsert", "arrpop", "arrtrim"}
    assert {name.partition(".")[2] for name in names} <= set(CHANGES) | elsewhere | {"debug"}


@pytest.mark.parametrize("recipe", [OURS, THROUGH], ids=["behind", "through"])
def test_a_movie_that_is_moved_into_database_0(stack: Stack, recipe: str) -> None:
    register(stack, recipe)
    with redis.Redis.from_url(stack.redis_url, db=1) as other:
        other.execute_command("JSON.SET", "MovieEntity:moved", "$", '{"n": 1}')
        assert other.move("MovieEntity:moved", 0)
    lab.wait_until(lambda: stack.db.movies.count_documents({"n": 1}) == 1, "it is there", 60)
    stack.redis.move("MovieEntity:moved", 1)
    lab.wait_until(lambda: not stack.db.movies.count_documents({}), "it is gone", 60)


@pytest.mark.parametrize("recipe", [OURS, THROUGH], ids=["behind", "through"])
def test_a_movie_that_expires_while_nobody_looks(stack: Stack, recipe: str) -> None:
    register(stack, recipe)
    put(stack.redis, "1", {"movieId": "1"})
    put(stack.redis, "2", {"movieId": "2"})
    stack.redis.pexpire("MovieEntity:1", 1500)
    stack.redis.expire("MovieEntity:2", 1)
    stack.redis.persist("MovieEntity:2")

    def noted() -> bool:
        found = stack.db.movies.find({"_expires": {"$exists": True}})
        return [one["movieId"] for one in found] == ["1"] or not stack.redis.exists("MovieEntity:1")

    lab.wait_until(noted, "MongoDB has its end", 60)
    lab.kill("minigears")
    lab.wait_until(lambda: not stack.redis_direct.exists("MovieEntity:1"), "it expired", 60)
    lab.start("minigears")
    lab.wait_until(lambda: stack.db.movies.distinct("movieId") == ["2"], "it left MongoDB", 60)

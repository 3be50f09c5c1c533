"""Whose writes are captured: what a user needs of Redis for it, and what he may by it."""

from __future__ import annotations

import re

import pytest
import redis as redis_py
from redis import Redis

from recipes.streams.core.library import VERSION
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import has_json
from tests.recipes.streams.door.capturing import waiting

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
NEEDED = [
    "+fcall",
    "+hget",
    "+hmget",
    "+hset",
    "+xlen",
    "+xadd",
    "+zrem",
    "+type",
    "+get",
    "+json.get",
]
"""What the queue needs of a client's user, beside its keys and the client's own command."""
REFUSED = r"(?i)permission|may not|ACL"


def as_user(redis: Redis, door: MiniGears, *rules: str) -> Redis:
    """A client of a user who may say hello, and what the rules say."""
    words = ["reset", "on", ">pw", "+@connection", *rules]
    redis.execute_command("ACL", "SETUSER", "app", *words)
    return redis_py.Redis(port=door.port, username="app", password="pw")


@pytest.mark.parametrize("missing", NEEDED)
def test_a_user_whom_redis_does_not_let_queue_writes_nothing(
    client: Redis, redis: Redis, door: MiniGears, missing: str
) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":0}')
    client.execute_command("JSON.SET", "Movie:2", "$", '{"n":0}')
    before = waiting(redis)
    rules = [rule for rule in NEEDED if rule != missing]
    rules += ["+json.set", "+json.numincrby", "+del", "~Movie:*", "~wb:*"]
    try:
        with as_user(redis, door, *rules) as app:
            for words in (
                ("JSON.SET", "Movie:3", "$", "{}"),
                ("JSON.NUMINCRBY", "Movie:1", "$.n", 1),
                ("DEL", "Movie:1", "Movie:2"),
            ):
                if words[0] == "JSON.SET" and missing in ("+zrem", "+type", "+get", "+json.get"):
                    continue  # of a whole document nothing has to be read
                with pytest.raises(redis_py.ResponseError, match=REFUSED):
                    app.execute_command(*words)
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert waiting(redis) == before
    assert not redis.exists("Movie:3")
    assert redis.execute_command("JSON.GET", "Movie:1") == b'{"n":0}'


def test_a_user_may_write_what_he_may_without_capture_and_no_more(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    client.execute_command("JSON.SET", "Movie:Mine:1", "$", '{"n":0}')
    client.execute_command("JSON.SET", "Movie:Others:1", "$", '{"n":0}')
    before = waiting(redis)
    place = ["wb:config", "Movie:Mine:1", "wb:{p00}", "wb:{p00}:state", "wb:{p00}:due"]
    call = ["FCALL", "wb_capture", len(place), *place, f"{VERSION} 2 10 20000 2"]
    try:
        with as_user(redis, door, *NEEDED, "+json.set", "~Movie:Mine:*", "~wb:*") as app:
            for words, refusal in (
                (["JSON.SET", "Movie:Others:1", "$", "{}"], REFUSED),
                (["DEL", "Movie:Mine:1"], REFUSED),
                ([*call, "JSON.SET", "Movie:Others:1", "$", "{}"], REFUSED),
                ([*call, "DEL", "Movie:Mine:1"], REFUSED),
                ([*call, "FLUSHALL"], "WBCOMMAND"),
                ([*call, "CONFIG", "SET", "save", ""], "WBCOMMAND"),
                ([*call, "EVAL", "return 1", "0"], "WBCOMMAND"),
            ):
                with pytest.raises(redis_py.ResponseError, match=refusal):
                    app.execute_command(*words)
                if words[: len(call)] == call:  # as one of several: all errors, each in its place
                    rest = [str(len(words) - len(call)), *words[len(call) :]]
                    errors = app.execute_command("FCALL", "wb_captures", *call[2:], *rest)
                    assert [isinstance(error, redis_py.ResponseError) for error in errors] == [True]
                    assert re.search(refusal, str(errors[0]))
            assert waiting(redis) == before
            app.execute_command("JSON.SET", "Movie:Mine:1", "$", '{"n":1}')
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert redis.execute_command("JSON.GET", "Movie:Others:1") == b'{"n":0}'
    assert waiting(redis) == {**before, "Movie:Mine:1": '{"n":1}'}


def test_who_may_not_run_the_command_is_told_so_in_the_words_of_redis(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    words = ("SET", "Movie:1", "{}")
    said = []
    try:
        for place in (door.port, None):
            with as_user(redis, door, *NEEDED, "~Movie:*", "~wb:*") as app:
                if place is None:
                    app = redis_py.Redis(
                        unix_socket_path=str(door.server.socket), username="app", password="pw"
                    )
                with pytest.raises(redis_py.exceptions.NoPermissionError) as refused:
                    app.execute_command(*words)
                said.append(str(refused.value))
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert said[0] == said[1]

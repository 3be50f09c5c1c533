"""What a captured command leaves behind, and whether that has an entry: half of a change, or no document at all."""

from __future__ import annotations

import pytest
import redis as redis_py
from redis import Redis

from recipes.streams.core.library import VERSION
from tests.recipes.servers import has_json
from tests.recipes.streams.door.capturing import PARTITIONS, waiting

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
DOCUMENT = '{"a":[1,2,3],"n":1,"o":{"a":[1],"n":1e308}}'


def names_of(key: str) -> list[str]:
    """The keys of its partition."""
    place = PARTITIONS.of(key)
    return [place.stream, place.state, place.due]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("JSON.ARRINSERT Movie:1 $..a 3 4", '{"a":[1,2,3,4],"n":1,"o":{"a":[1],"n":1e308}}'),
        (
            "JSON.NUMINCRBY Movie:1 $..n 1.7e308",
            '{"a":[1,2,3],"n":1.7e308,"o":{"a":[1],"n":1e308}}',
        ),
        ("JSON.NUMMULTBY Movie:1 ..n 1e100", '{"a":[1,2,3],"n":1e100,"o":{"a":[1],"n":1e308}}'),
    ],
)
def test_what_a_command_has_done_before_it_fails_is_queued(
    client: Redis, redis: Redis, words: str, left: str, together: bool
) -> None:
    """RedisJSON goes from place to place, and stops at the first that it cannot change."""
    client.execute_command("JSON.SET", "Movie:1", "$", DOCUMENT)
    argv = words.split()
    if together:  # as one of several
        place = ["wb:config", "Movie:1", *names_of("Movie:1")]
        call = ["FCALL", "wb_captures", len(place), *place, f"{VERSION} 2 10 20000 2", len(argv)]
        [failed] = redis.execute_command(*call, *argv)
        assert isinstance(failed, redis_py.ResponseError)
    else:
        with pytest.raises(redis_py.ResponseError):
            client.execute_command(*argv)
    assert redis.execute_command("JSON.GET", "Movie:1") == left.encode()
    assert waiting(redis) == {"Movie:1": left}
    with pytest.raises(redis_py.ResponseError):  # where no document is, none is queued
        client.execute_command(argv[0], "Movie:2", *argv[2:])
    assert waiting(redis) == {"Movie:1": left}


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("EXPIRE Movie:Hash 1000", 1),
        ("PERSIST Movie:Hash", 0),
        ("SETNX Movie:Hash {}", 0),
        ("MSETNX Movie:1 {} Movie:Hash {}", 0),
        ("SET Movie:Hash {} NX", None),
        ("RENAMENX Movie:Document Movie:Hash", 0),
        ("EXPIRE Movie:Empty 1000", 1),
    ],
)
def test_what_is_no_document_and_stays_as_it_is_has_no_entry(
    client: Redis, redis: Redis, words: str, answer: int | None
) -> None:
    redis.hset("Movie:Hash", "a", "b")
    redis.set("Movie:Empty", "")
    redis.set("Movie:Document", "{}")
    assert client.execute_command(*words.split()) == answer
    assert not {"Movie:Hash", "Movie:Empty"} & set(waiting(redis))


@pytest.mark.parametrize(("text", "code"), [("no JSON", "WBJSON"), ("", "WRONGTYPE")])
def test_what_is_no_document_does_not_become_one_by_its_name(
    client: Redis, redis: Redis, text: str, code: str
) -> None:
    redis.set("Other:1", text)
    for words in (("RENAME", "Other:1", "Movie:1"), ("RENAMENX", "Other:1", "Movie:1")):
        with pytest.raises(redis_py.ResponseError, match=code):
            client.execute_command(*words)
    assert redis.get("Other:1") == text.encode()
    assert not waiting(redis)

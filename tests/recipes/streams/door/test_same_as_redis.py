"""The same commands at Redis and at a door that captures: the same replies, the same keys, and each change queued."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis import Redis

from recipes.streams import WriteBehind
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import PlainRedis, has_json
from tests.recipes.streams.door.capturing import PARTITIONS
from tests.recipes.streams.door.differing import (
    KEYS,
    Command,
    Line,
    batch,
    elements,
    packed,
    pieces,
)

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
BATCHES = 120
REFUSALS = (
    b"-WBCOMMAND",
    b"-WBJSON",
    b"-WBCONFIG",
    b"-WRONGTYPE Movie:",
    b"-WRONGTYPE the key holds no document",
)
"""What capture refuses, Redis would have done."""
SAID_AFTER = b"after the script"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRedis]:
    server = PlainRedis(tmp_path_factory.mktemp("plain"))
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def roomy(
    redis_server: PlainRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MiniGears]:
    options = ["--capture", "Movie:", "--capture-queue", "wb:2:1000000:2000000000"]
    gears = MiniGears(redis_server, tmp_path_factory.mktemp("roomy"), *options)
    gears.start()
    yield gears
    assert gears.stop() == 0


def fill(redis: Redis) -> None:
    """What was there before anybody captured: most of it is no document."""
    redis.flushall()
    for prefix in ("Movie:", "Other:"):
        redis.hset(f"{prefix}hash", "a", "b")
        redis.rpush(f"{prefix}list", "a")
        redis.set(f"{prefix}empty", "")
        redis.set(f"{prefix}text", "no JSON")


def text_of(redis: Redis, key: bytes) -> bytes | None:
    """A document, empty if there is none; None for a key that holds something else."""
    kind = redis.type(key)
    if kind in (b"none", b"string"):
        return redis.get(key) or b""  # type: ignore[return-value]
    return redis.execute_command("JSON.GET", key) if kind == b"ReJSON-RL" else None  # type: ignore[no-any-return]


def contents(redis: Redis) -> dict[bytes, object]:
    """All keys but the queue's."""
    keys = [key for key in redis.keys("*") if not key.startswith(b"wb:")]
    return {key: (redis.type(key), redis.dump(key), redis.ttl(key) > 0) for key in keys}


def refused(said: list[Command], replies: list[bytes]) -> set[int]:
    """Which commands capture has refused, those of a transaction too."""
    places: set[int] = set()
    queued: list[int] = []
    for at, (words, reply) in enumerate(zip(said, replies, strict=True)):
        if words[0] == b"EXEC" and reply.startswith(
            b"*"
        ):  # none are in it if a watched key was changed
            places |= {
                q for q, e in zip(queued, elements(reply), strict=False) if e.startswith(REFUSALS)
            }
        if reply.startswith(REFUSALS) and SAID_AFTER not in reply:
            places.add(at)
        if reply == b"+QUEUED\r\n":
            queued.append(at)
    return places


def as_told(words: Command, reply: bytes) -> list[bytes]:
    """A reply, or those in it of a transaction; what is said of refused commands is left out."""
    replies = elements(reply) if words[0] == b"EXEC" and reply.startswith(b"*") else [reply]
    return [
        b"" if one.startswith(REFUSALS) or one == b"$7\r\nrefused\r\n" else one for one in replies
    ]


def check_queue(redis: Redis, before: dict[bytes, bytes | None]) -> None:
    """The last entry of each document is what it is now; a key without entry is as it was."""
    last: dict[bytes, bytes] = {}
    for partition in PARTITIONS.all():
        entries = redis.xrange(partition.stream)
        last |= {fields[b"key"]: fields[b"doc"] for _, fields in entries}
        if entries:
            length = sum(len(fields[b"key"]) + len(fields[b"doc"]) for _, fields in entries)
            assert redis.hmget(partition.state, "bytes", "last") == [b"%d" % length, entries[-1][0]]
    assert all(key.startswith(b"Movie:") for key in last)
    for key in filter(lambda key: key.startswith(b"Movie:"), KEYS):
        now = text_of(redis, key)
        if key not in last:
            assert now == before.get(key, b""), key
        elif last[key] != now:
            assert last[key], key
            assert now, key
            assert json.loads(last[key]) == json.loads(now), key


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 40))]
)
def test_any_commands_are_answered_as_redis_does_and_each_change_is_queued(
    redis: Redis, roomy: MiniGears, plain: PlainRedis, seed: int
) -> None:
    choose = random.Random(seed)
    fill(plain.client())
    fill(redis)
    WriteBehind(redis, PARTITIONS).prepare()
    before = {key: text_of(redis, key) for key in redis.keys("Movie:*")}
    protocol, many = choose.choice([2, 3]), choose.choice([1, 6])  # six share connections
    with ExitStack() as stack:
        ours = [stack.enter_context(Line(("127.0.0.1", roomy.port), protocol)) for _ in range(many)]
        theirs = [stack.enter_context(Line(str(plain.socket), protocol)) for _ in range(many)]
        for _ in range(BATCHES):
            who, said = choose.randrange(many), batch(choose)
            replies = ours[who].say(pieces(choose, said), len(said))
            skipped = refused(said, replies)
            instead = [
                [b"ECHO", b"refused"] if n in skipped else words for n, words in enumerate(said)
            ]
            expected = theirs[who].say([b"".join(map(packed, instead))], len(said))
            for n, (words, reply, other) in enumerate(zip(said, replies, expected, strict=True)):
                if n not in skipped and SAID_AFTER not in reply:
                    assert as_told(words, reply) == as_told(words, other), (protocol, words)
            assert contents(redis) == contents(plain.client()), said
            check_queue(redis, before)

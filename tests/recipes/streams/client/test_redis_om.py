"""Redis OM through a capturing client: each way that it writes leaves an entry."""

from __future__ import annotations

import asyncio
from typing import Any

import aredis_om
import pytest
import redis_om
from redis import Redis
from redis_om.model import model

from recipes.streams import (
    AsyncCapturingRedis,
    CapturingRedis,
    Limits,
    NotCaptured,
    QueueFull,
    Sink,
    WriteBehind,
)
from tests.recipes.servers import PlainRedis, has_json, wait_for
from tests.recipes.streams.working import QUICK, Start
from tests.recipes.streams.writing import drained

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")


@pytest.fixture
def capturing(redis: Redis, redis_server: PlainRedis) -> CapturingRedis:
    return CapturingRedis.from_url(
        redis_server.url, prefixes=["Movie:"], partitions=QUICK.partitions, decode_responses=True
    )


@pytest.fixture
def movie(capturing: CapturingRedis, monkeypatch: pytest.MonkeyPatch) -> Any:
    # The Migrator asks for the index of every model that this process has defined, those of other tests too.
    monkeypatch.setattr(model, "model_registry", {})

    class Movie(redis_om.JsonModel, index=True):  # type: ignore[misc]
        title: str = redis_om.Field(index=True)
        year: int = redis_om.Field(index=True, default=1900)

        class Meta:
            database = capturing
            model_key_prefix = "Movie"
            global_key_prefix = ""

        @classmethod
        def make_key(cls, part: str) -> str:
            return f"Movie:{part}"

    redis_om.Migrator().run()
    return Movie


def queued(wb: WriteBehind) -> list[tuple[str, bool]]:
    """Key, and whether it was written rather than deleted, of each entry, in order within a partition."""
    found = [
        (stream_id, fields[b"key"].decode(), fields[b"doc"] != b"")
        for partition in wb.partitions.all()
        for stream_id, fields in wb.redis.xrange(partition.stream)
    ]
    return [(key, kept) for _, key, kept in sorted(found)]


def test_save_update_delete(movie: Any, wb: WriteBehind) -> None:
    one = movie(pk="1", title="Alien").save()
    one.update(year=1979)
    movie.delete("1")
    assert queued(wb) == [("Movie:1", True), ("Movie:1", True), ("Movie:1", False)]


def test_query_delete_has_an_entry_for_each_key(movie: Any, wb: WriteBehind) -> None:
    for pk in "12":
        movie(pk=pk, title="Alien").save()
    assert movie.find(movie.title == "Alien").delete() == 2
    assert sorted(e for e in queued(wb) if not e[1]) == [("Movie:1", False), ("Movie:2", False)]


def test_save_and_add_into_a_pipeline(
    movie: Any, capturing: CapturingRedis, wb: WriteBehind
) -> None:
    pipe = capturing.pipeline()
    movie(pk="1", title="Alien").save(pipeline=pipe)
    movie.add([movie(pk="2", title="Aliens"), movie(pk="3", title="Alien 3")], pipeline=pipe)
    assert queued(wb) == []
    assert pipe.execute() == [True, True, True]
    assert sorted(key for key, _ in queued(wb)) == ["Movie:1", "Movie:2", "Movie:3"]
    movie.add([movie(pk="4", title="Resurrection")])
    assert ("Movie:4", True) in queued(wb)


def test_expire_leaves_no_ttl_of_redis(
    movie: Any,
    capturing: CapturingRedis,
    wb: WriteBehind,
    mongo: Sink,
    start_worker: Start,
) -> None:
    one = movie(pk="1", title="Alien").save()
    one.expire(3600)
    assert wb.redis.pttl("Movie:1") == -1
    assert 3500 < capturing.ttl("Movie:1") <= 3600
    capturing.pexpire("Movie:1", 1)
    start_worker(mongo)
    drained(wb)
    wait_for(lambda: not capturing.exists("Movie:1"), 60)
    drained(wb)
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document is None


def test_what_cannot_be_captured_is_refused(capturing: CapturingRedis, wb: WriteBehind) -> None:
    for words in (
        ("SET", "Movie:1", "{}", "EX", "10"),
        ("HSET", "Movie:1", "a", "b"),
        ("COPY", "x", "Movie:1"),
        ("RENAME", "x", "Movie:1"),
        ("EVAL", "return redis.call('DEL', KEYS[1])", "1", "Movie:1"),
        ("RESTORE", "Movie:1", "0", "x"),
        ("GETDEL", "Movie:1"),
        ("EXPIRE", "Movie:1", "10", "NX"),
    ):
        with pytest.raises(NotCaptured, match="captured"):
            capturing.execute_command(*words)
        with pytest.raises(NotCaptured):
            capturing.pipeline().execute_command(*words).execute()
    assert queued(wb) == []


@pytest.mark.parametrize("protocol", [2, 3, None])
def test_replies_are_those_of_redis(
    redis_server: PlainRedis, redis: Redis, protocol: int | None
) -> None:
    options: dict[str, Any] = {"decode_responses": True}
    if protocol:
        options["protocol"] = protocol
    plain = redis_server.client(**options)
    ours = CapturingRedis.from_url(redis_server.url, prefixes=["Movie:"], **options)

    def replies(client: Any, key: str) -> list[Any]:
        found = []
        for target in (client, client.pipeline()):
            json = target.json()
            found += [
                json.set(key, "$", {"n": 1, "list": [1], "word": "a", "yes": True}),
                json.set(key, "$", {"n": 2}, nx=True),
                json.numincrby(key, "$.n", 2),
                json.arrappend(key, "$.list", 2, 3),
                json.arrinsert(key, "$.list", 0, 9),
                json.arrpop(key, "$.list"),
                json.arrtrim(key, "$.list", 0, 1),
                json.strappend(key, "b", "$.word"),
                json.toggle(key, "$.yes"),
                json.merge(key, "$", {"m": None, "k": 1}),
                json.get(key, "$"),
                json.clear(key, "$.list"),
                json.delete(key, "$.k"),
                target.expire(key, 100),
                target.ttl(key),
                target.persist(key),
                target.pttl(key),
                target.rename(key, key + "x"),
                target.delete(key, key + "x", "other"),
                target.unlink(key),
            ]
        executed = target.execute()
        return found[:20] + executed

    assert replies(ours, "Movie:1") == replies(plain, "plain:1")


def test_a_refused_write_of_a_pipeline_is_neither_dropped_nor_overtaken(
    redis_server: PlainRedis, redis: Redis
) -> None:
    limits = Limits(entries=2, wait=0.2)
    ours = CapturingRedis.from_url(redis_server.url, prefixes=["Movie:"], limits=limits)
    pipe = ours.pipeline(transaction=False)
    for n in range(3):
        pipe.json().set("Movie:1", "$", {"n": n})
    with pytest.raises(QueueFull):
        pipe.execute()
    assert ours.json().get("Movie:1") == {"n": 1}


def test_redis_om_cannot_put_a_plain_client_in_place(
    redis_server: PlainRedis, redis: Redis, wb: WriteBehind
) -> None:
    client = AsyncCapturingRedis.from_url(
        redis_server.url, prefixes=["Movie:"], partitions=QUICK.partitions, decode_responses=True
    )

    class Movie(aredis_om.JsonModel, index=True):  # type: ignore[misc]
        title: str

        class Meta:
            database = client

        @classmethod
        def make_key(cls, part: str) -> str:
            return f"Movie:{part}"

    for n in range(3):  # a loop each
        asyncio.run(Movie(pk=str(n), title="Alien").save())
        assert Movie.db() is client
    assert len(queued(wb)) == 3


def test_asyncio(redis_server: PlainRedis, redis: Redis, wb: WriteBehind) -> None:
    async def work() -> None:
        client = AsyncCapturingRedis.from_url(
            redis_server.url, prefixes=["Movie:"], partitions=QUICK.partitions
        )
        assert await client.json().set("Movie:1", "$", {"n": 1})
        assert await client.json().numincrby("Movie:1", "$.n", 1) == [2]
        async with client.pipeline() as pipe:
            pipe.json().set("Movie:2", "$", {"n": 1})
            pipe.delete("Movie:1", "Movie:2")
            assert await pipe.execute() == [True, 2]
        await client.aclose()

    asyncio.run(work())
    assert len(queued(wb)) == 5

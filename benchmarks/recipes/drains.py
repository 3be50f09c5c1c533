"""How quickly a backlog gets into a database, by whom."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from threading import Thread
from typing import Any

from pymongo import ReplaceOne, WriteConcern

from benchmarks import generator
from recipes.streams import (
    Limits,
    Metrics,
    Partitions,
    Rejected,
    Settings,
    Worker,
    WriteBehind,
    open_sink,
)
from recipes.streams.core.names import version_of
from recipes.streams.worker.entries import Entry
from tests.recipes.twelve.contenders.gears import RgsyncAsShipped
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import DATABASE

BATCH = 500
ROUTES = {"Movie:": "movies"}
Entries = Sequence[tuple[str, str]]
_VERSIONS = itertools.count(1)
"""Of rgsync's recipe. What was registered outlives minigears, and rgsync replaces older versions only."""


@dataclass
class Lags(Metrics):
    """Keeps each entry's lag in seconds."""

    seen: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(StringIO())

    def written(self, partition: str, documents: int, done: Sequence[Entry]) -> None:
        """A batch was committed."""
        now = time.time() * 1000
        self.seen += [max(0.0, now - entry.milliseconds) / 1000 for entry in done]


class Nowhere:
    """A database that costs nothing: it does nothing, and refuses nothing."""

    def __getattr__(self, name: str) -> Callable[..., list[Rejected]]:
        return lambda *_: []


def bare(world: World, database: str, entries: Entries, array: str = "%s") -> float:
    """A loop of the same bulk writes, and nothing else; documents a second.

    `array` is how psycopg sends an array: %s, as one writes it, takes longer than PostgreSQL; the sink
    sends %b, in binary.
    """
    url = world.direct_url(database)
    world.server(database).empty(DATABASE)
    sink = open_sink(url, ROUTES)
    sink.open()
    sink.close()
    changes = [
        (key, version_of(f"{n}-1"), json.loads(text)) for n, (key, text) in enumerate(entries, 1)
    ]
    taken = (
        _bare_mongo(world, changes)
        if database == "mongo"
        else _bare_postgres(world, changes, array)
    )
    return (len(entries) - BATCH) / taken


def _bare_mongo(world: World, changes: list[Any]) -> float:
    """Seconds from the end of the first bulk to that of the last: the first one connects."""
    with world.server("mongo").client() as client:
        movies = client[DATABASE].get_collection(
            "movies", write_concern=WriteConcern("majority", j=True)
        )
        started = 0.0
        for start in range(0, len(changes), BATCH):
            movies.bulk_write(
                [
                    ReplaceOne(
                        {"_id": key, "_v": {"$lt": version}},
                        {"_id": key, "_v": version, **document},
                        upsert=True,
                    )
                    for key, version, document in changes[start : start + BATCH]
                ],
                ordered=False,
            )
            started = started if start else time.perf_counter()
    return time.perf_counter() - started


def _bare_postgres(world: World, changes: list[Any], array: str) -> float:
    """The same."""
    statement = f"""INSERT INTO movies AS stored (key, version, document)
        SELECT key, version, document::jsonb
        FROM unnest({array}::text[], {array}::text[], {array}::text[]) AS coming (key, version, document)
        ON CONFLICT (key) DO UPDATE SET version = excluded.version, document = excluded.document
        WHERE stored.version < excluded.version"""
    with world.server("postgres").client() as client:
        started = 0.0
        for start in range(0, len(changes), BATCH):
            keys, versions, found = zip(*changes[start : start + BATCH], strict=True)
            texts = [json.dumps(document) for document in found]
            client.execute(statement, [list(keys), list(versions), texts])
            started = started if start else time.perf_counter()
    return time.perf_counter() - started


def worker(world: World, client: WriteBehind, database: str, entries: Entries) -> float:
    """The recipe's worker on a preloaded backlog; entries a second."""
    world.server(database).empty(DATABASE)
    for start in range(0, len(entries), BATCH):
        calls = [client.call("JSON.SET", k, "$", t) for k, t in entries[start : start + BATCH]]
        for outcome in client.run(calls):
            if isinstance(outcome, Exception):
                raise outcome
    sink = open_sink(world.direct_url(database), ROUTES)
    return _drained(world, client.partitions, sink, 0)


def _drained(world: World, partitions: Partitions, sink: Any, until: int) -> float:
    """From the end of the first batch, as the bare loop is measured; entries a second."""
    redis = world.redis.client()
    stream = partitions[0].stream
    waiting = redis.xlen(stream)
    settings = Settings(partitions=partitions, batch_entries=BATCH, lease=60)
    running = Worker(world.redis.client(), sink, settings, Metrics(StringIO()))
    thread = Thread(target=running.run)
    thread.start()
    while (left := redis.xlen(stream)) == waiting:
        time.sleep(0.001)
    started, waiting = time.perf_counter(), left
    while redis.xlen(stream) > until:
        time.sleep(0.005)
    taken = time.perf_counter() - started
    done = waiting - redis.xlen(stream)
    running.stop()
    thread.join()
    return done / taken


def null_drain(world: World, count: int) -> float:
    """Read and settle so many entries of what waits, writing nothing; entries a second."""
    partitions = Partitions(1)
    waiting = world.redis.client().xlen(partitions[0].stream)
    return _drained(world, partitions, Nowhere(), waiting - count)


def fill(redis: Any, count: int) -> None:
    """Queue small entries, quickly."""
    script = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'key', 'Movie:' .. i, " \
             "'doc', '{}') end"  # fmt: skip
    for start in range(0, count, 10_000):
        redis.eval(script, 1, Partitions(1)[0].stream, min(10_000, count - start))


def lags(world: World, database: str, texts: list[str], rate: float, seconds: int) -> list[float]:
    """Lags of entries that arrive on schedule, whatever becomes of them."""
    partitions = Partitions(1)
    sink = open_sink(world.direct_url(database), ROUTES)
    metrics = Lags()
    settings = Settings(partitions=partitions, batch_entries=BATCH)
    running = Worker(world.redis.client(), sink, settings, metrics)
    thread = Thread(target=running.run)
    thread.start()
    words = (world.redis.port, texts, rate, seconds)
    producer = multiprocessing.get_context("spawn").Process(target=produce, args=words)
    producer.start()
    producer.join()
    redis = world.redis.client()
    while redis.xlen(partitions[0].stream):
        time.sleep(0.01)
    running.stop()
    thread.join()
    return metrics.seen


def produce(port: int, texts: list[str], rate: float, seconds: int) -> None:
    """Open loop: every 10 ms, as many writes as the schedule says are due."""
    from redis import Redis

    client = WriteBehind(Redis(port=port), Partitions(1), Limits(10_000_000, 1 << 40))
    client.prepare()
    started, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        due = int(passed * rate) - sent
        calls = [
            client.call("JSON.SET", f"Movie:{n % 5000}", "$", texts[n % len(texts)])
            for n in range(sent, sent + due)
        ]
        if calls:
            client.run(calls)
        sent += due
        time.sleep(0.01)


class Rgsync:
    """rgsync as shipped in minigears, with MongoDB behind it."""

    def __init__(self, recipe: RgsyncAsShipped, world: World):
        self.recipe, self.world = recipe, world
        self.port = recipe.redis_port()

    def drained(self, entries: Entries) -> float:
        """Entries a second of a backlog."""
        redis = self.world.redis.client(self.port, decode_responses=True, socket_timeout=None)
        redis.flushall()
        self.world.server("mongo").empty(DATABASE)
        with self.world.server("mongo").client() as client:  # without it each upsert reads all
            client[DATABASE].movies.create_index("movieId", unique=True)
        reader = next(
            r for r in redis.execute_command("RG.DUMPREGISTRATIONS") if "StreamReader" in r
        )
        redis.execute_command("RG.PAUSEREGISTRATIONS", reader[1])
        prefixed = [(key.replace("Movie:", "MovieEntity:"), text) for key, text in entries]
        requests = [generator.encode(["JSON.SET", key, "$", text]) for key, text in prefixed]
        generator.run(self.port, [requests], 50)
        assert self.recipe.depth() == len(entries)
        started = time.perf_counter()
        redis.execute_command("RG.UNPAUSEREGISTRATIONS", reader[1])
        while self.recipe.depth():
            if time.perf_counter() - started > 60 + len(entries) / 50:
                raise RuntimeError(
                    f"rgsync does not drain: {redis.execute_command('RG.DUMPREGISTRATIONS')}"
                )
            time.sleep(0.01)
        return len(entries) / (time.perf_counter() - started)


@contextmanager
def rgsync(world: World) -> Iterator[Rgsync]:
    """minigears with rgsync registered, on the same Redis."""
    world.open_gate("mongo")
    recipe = RgsyncAsShipped(world)
    process = recipe.start_worker(next(_VERSIONS))
    try:
        yield Rgsync(recipe, world)
    finally:
        process.stop()

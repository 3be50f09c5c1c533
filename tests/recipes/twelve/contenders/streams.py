"""recipes/streams, on MongoDB and on PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from recipes.streams import Limits, Partitions, Sink, WriteBehind, open_sink
from recipes.streams.client.reading import read_through
from recipes.streams.core.names import version_of
from recipes.streams.verbs import looking, reconcile
from tests.freeports import free_ports
from tests.recipes.twelve.interface import DeadLetter, Document, Producer, Recipe
from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import DATABASE, Process

PARTITIONS = Partitions(2, "wb")
PREFIX = "Movie:"


class StreamsProducer(Producer):
    """The recipe's own client."""

    def __init__(self, redis: Any, cap: int, patience: float):
        self.redis = redis
        self.client = WriteBehind(redis, PARTITIONS, Limits(cap // PARTITIONS.count, wait=patience))
        self.client.prepare()

    def put(self, id: str, document: Document) -> None:
        self.client.set(PREFIX + id, document)

    def put_text(self, id: str, text: str) -> None:
        words = ("JSON.SET", PREFIX + id, "$") if self.client.json else ("SET", PREFIX + id)
        [outcome] = self.client.run([self.client.call(*words, text)])
        if isinstance(outcome, Exception):
            raise outcome

    def put_many(self, documents: Iterable[Document]) -> None:
        name, path = ("JSON.SET", ["$"]) if self.client.json else ("SET", [])
        calls = [
            self.client.call(name, PREFIX + d["movieId"], *path, json.dumps(d)) for d in documents
        ]
        for start in range(0, len(calls), 500):
            for outcome in self.client.run(calls[start : start + 500]):
                if isinstance(outcome, Exception):
                    raise outcome

    def increment(self, id: str, field: str, by: int) -> None:
        self.client.increment(PREFIX + id, f"$.{field}", by)

    def remove(self, id: str, field: str) -> None:
        self.client.run([self.client.call("JSON.DEL", PREFIX + id, f"$.{field}")])

    def delete(self, id: str) -> None:
        self.client.delete(PREFIX + id)

    def put_durably(self, id: str, document: Document) -> None:
        self.put(id, document)
        [local, _] = self.redis.execute_command("WAITAOF", 1, 0, 20_000)
        assert local == 1


class Streams(Recipe):
    """What both databases have in common."""

    def __init__(self, world: World):
        super().__init__(world)
        self.redis = world.redis.client()
        self._metrics_port = 0

    def install(self) -> None:
        self.client = WriteBehind(self.redis, PARTITIONS, Limits(self.cap))
        self.client.prepare()

    def start_worker(self, version: int = 1) -> Process:
        for _ in range(5):
            with contextlib.suppress(AssertionError):  # somebody was quicker to take the port
                return self._start_worker()
        return self._start_worker()

    def _start_worker(self) -> Process:
        [self._metrics_port] = free_ports(1)
        options = {
            "--redis": f"redis://127.0.0.1:{self.world.redis.port}",
            "--database": self.world.database_url(self.database),
            "--route": f"{PREFIX}={self.table}",
            "--partitions": PARTITIONS.count,
            "--lease": 2,
            "--metrics-port": self._metrics_port,
        }
        words = [str(word) for option in options.items() for word in option]
        command = [sys.executable, "-m", "recipes.streams", "worker", *words]
        return self.world.start(command, says='"event": "started"')

    def producer(self, port: int | None = None, patience: float = 0.0) -> StreamsProducer:
        return StreamsProducer(self.world.redis.client(port), self.cap, patience)

    def read(self, id: str) -> Document | None:
        return read_through(self.client, self.sink(), PREFIX + id)

    def sink(self) -> Sink:
        return open_sink(self.world.direct_url(self.database), {PREFIX: self.table})

    def in_redis(self) -> dict[str, Document]:
        keys = [key.decode() for key in self.redis.scan_iter(PREFIX + "*", count=1000)]
        return {key.removeprefix(PREFIX): self.client.get(key) for key in keys}

    def depth(self) -> int:
        return sum(self.redis.xlen(p.stream) for p in PARTITIONS.all())

    def entries(self) -> list[tuple[str, dict[bytes, bytes]]]:
        found = []
        for partition in PARTITIONS.all():
            for stream_id, fields in self.redis.xrange(partition.stream):
                version = {b"version": version_of(stream_id.decode()).encode()}
                found.append((partition.stream, version | fields))
        return sorted(found, key=lambda entry: entry[1][b"version"])

    def deliver(self, entry: tuple[str, dict[Any, Any]]) -> None:
        self.redis.xadd(*entry)

    def dead_letters(self) -> list[DeadLetter]:
        found = [
            {name.decode(): value.decode() for name, value in fields.items()}
            for partition in PARTITIONS.all()
            for _, fields in self.redis.xrange(partition.dead)
        ]
        return [
            DeadLetter(f["key"].removeprefix(PREFIX), f["doc"], f["error"], int(f["attempts"]))
            for f in found
        ]

    def replay(self) -> None:
        for letter in list(looking.letters(self.client)):
            looking.replay(self.client, letter)

    def reconcile(self) -> None:
        for difference in reconcile.differences(self.client, self.sink(), (PREFIX,)):
            reconcile.repair(self.client, difference)

    def metrics(self) -> Mapping[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics") as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        samples = [sample for family in families for sample in family.samples]

        def values(name: str) -> list[float]:
            return [s.value for s in samples if s.name == f"writebehind_{name}"]

        lags = [s for s in samples if s.name == "writebehind_lag_seconds_bucket" and s.value]
        return {
            "depth": sum(values("queue_entries")),
            "oldest_seconds": max(values("oldest_seconds"), default=0.0),
            "dead_letters": sum(values("dead_letters")),
            "lag_seconds": _p99(lags),
        }


def _p99(buckets: list[Any]) -> float:
    """The bound of the first bucket that holds 99 of 100; -1: nothing was measured."""
    totals: dict[float, float] = {}
    for sample in buckets:
        bound = float(sample.labels["le"])
        totals[bound] = totals.get(bound, 0.0) + sample.value
    most = max(totals.values(), default=0.0)
    return min((bound for bound, count in totals.items() if count >= 0.99 * most), default=-1.0)


class StreamsOnMongo(Streams):
    """recipes/streams with MongoDB."""

    name = "streams-mongo"
    title = "streams, MongoDB"

    def stored(self) -> dict[str, Document]:
        with self.world.server("mongo").client() as client:
            found = list(client[DATABASE][self.table].find({"_deleted": None}))
        return {
            d["_id"].removeprefix(PREFIX): {k: v for k, v in d.items() if k not in ("_id", "_v")}
            for d in found
        }

    def tamper(self, id: str, title: str | None) -> None:
        self.world.server("mongo").tamper(self.table, {"_id": PREFIX + id}, title)


class StreamsOnPostgres(Streams):
    """recipes/streams with PostgreSQL."""

    name = "streams-postgres"
    title = "streams, PostgreSQL"
    database = "postgres"

    def stored(self) -> dict[str, Document]:
        with self.world.server("postgres").client() as client:
            if not client.execute("SELECT to_regclass(%s)", [self.table]).fetchone()[0]:
                return {}
            query = f"SELECT key, document FROM {self.table} WHERE document IS NOT NULL"
            return {k.removeprefix(PREFIX): d for k, d in client.execute(query)}

    def tamper(self, id: str, title: str | None) -> None:
        which = {"key": PREFIX + id, "title": title}
        with self.world.server("postgres").client() as client:
            if title is None:
                client.execute(f"DELETE FROM {self.table} WHERE key = %(key)s", which)
            else:
                change = "jsonb_set(document, '{title}', to_jsonb(%(title)s::text))"
                client.execute(
                    f"UPDATE {self.table} SET document = {change} WHERE key = %(key)s", which
                )

"""What the benchmark of the recipes sends, to servers of its own, and the rows that it has measured."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from benchmarks import generator
from benchmarks.recipes import drains
from benchmarks.turns import Measure, console, ratio, take_turns
from recipes.streams import Limits, Partitions, WriteBehind
from recipes.streams.client.parcels import Lane, Lanes, Parcel, packed
from tests.recipes.twelve.world import World

LIMITS = Limits(entries=10_000_000, bytes=1 << 40)
Words = Callable[[int, int, str], list[Any]]
"""What a client sends as its n-th request, with this document: client, n, text."""

BARE = """#!lua name=bare
redis.register_function('bare', function(keys, args)
  redis.call('JSON.SET', keys[1], '$', args[1])
  return redis.call('XADD', keys[2], '*', 'key', keys[1], 'doc', args[1])
end)"""
"""Document and entry in one function, and nothing else: no function library can cost less."""


def documents() -> list[str]:
    """The course's movies, about 1 KB each. Without apostrophes: rgsync stops at the first.

    And without their ids, which are the keys': each text is written under many.
    """
    data = Path(__file__).resolve().parents[2] / "data" / "movies.jsonl"
    movies = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    for movie in movies:
        del movie["movieId"]
    return [json.dumps(movie, ensure_ascii=False).replace("'", "’") for movie in movies]


class Bench:
    """Servers of its own, and what was measured on them."""

    def __init__(self, world: World, rounds: int, pending: int):
        self.world, self.rounds, self.pending_entries = world, rounds, pending
        self.raw: dict[str, dict[str, list[float]]] = {}
        self.rows: list[tuple[str, str, str, str]] = []
        self._texts = documents()
        for server in (world.redis, *world.databases.values()):
            server.start()
        self.redis: Redis = world.redis.client()
        self.client = WriteBehind(self.redis, Partitions(1), LIMITS)
        self.client.prepare()
        self.redis.execute_command("FUNCTION LOAD", BARE)

    def text(self, number: int) -> str:
        """One of the documents."""
        return self._texts[number % len(self._texts)]

    def entries(self, numbers: range | list[int]) -> list[tuple[str, str]]:
        """Keys with their documents."""
        return [(f"Movie:{n}", self.text(n)) for n in numbers]

    def empty(self) -> None:
        """Leave no documents and no queue; registrations and functions stay."""
        self.redis.flushall()
        self.client._ready = False
        self.client.prepare()

    def plain(self, prefix: str) -> Words:
        """JSON.SET, which nobody captures."""
        return lambda client, n, text: ["JSON.SET", f"{prefix}{n % 500}", "$", text]

    def barest(self, client: int, n: int, text: str) -> list[Any]:
        """JSON.SET and XADD in one function."""
        return ["FCALL", "bare", 2, f"Bare:{n % 500}", self.client.partitions[0].stream, text]

    def captured(self, client: int, n: int, text: str) -> list[Any]:
        """A captured write."""
        call = self.client.call("JSON.SET", f"Movie:{n % 500}", "$", text)
        return Parcel([call], Lane(f"{self._lane}-{client}"), n + 1).words(LIMITS)

    def requests(self, clients: int, count: int, words: Words) -> list[list[bytes]]:
        """So many requests in all, as bytes, client by client."""
        self._lane = random.randbytes(6).hex()
        return [
            [generator.encode(words(c, n, self.text(n + c))) for n in range(count // clients)]
            for c in range(clients)
        ]

    def load(self, port: int, clients: int, count: int, depth: int, words: Words) -> Measure:
        """So many requests, `depth` of them in a pipeline."""

        def measure() -> float:
            self.empty()
            return generator.run(port, self.requests(clients, count, words), depth)

        return measure

    def bundles(self, port: int, count: int, depth: int) -> Measure:
        """Pipelines as the client sends them: one call for a pipeline's writes to a partition."""

        def measure() -> float:
            self.empty()
            lanes, requests = Lanes(), []
            for start in range(0, count, depth):
                calls = [
                    self.client.call("JSON.SET", f"Movie:{n % 500}", "$", self.text(n))
                    for n in range(start, start + depth)
                ]
                parcels = packed(calls, lanes)
                requests += [generator.encode(parcel.words(LIMITS)) for parcel in parcels]
                lanes.give(parcel.lane for parcel in parcels)
            rate = generator.run(port, [requests]) * count / len(requests)
            assert self.redis.xlen(self.client.partitions[0].stream) == count  # none was refused
            return rate

        return measure

    def drained(self, database: str, entries: list[tuple[str, str]]) -> float:
        """The recipe's worker on a backlog of these; entries a second."""
        self.empty()
        return drains.worker(self.world, self.client, database, entries)

    def turns(self, name: str, arms: dict[str, Measure]) -> dict[str, list[float]]:
        """Measure all arms, round by round, and keep the rounds."""
        console.rule(name, align="left")
        self.raw[name] = take_turns(arms, self.rounds)
        return self.raw[name]

    def row(
        self, name: str, over: list[float], under: list[float], of: str, least: float | None = None
    ) -> None:
        """Keep a ratio, and whether it reaches its goal."""
        ratios = sorted(a / b for a, b in zip(over, under, strict=True))
        figure = f"{ratio(over, under):.2f} {of} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        reached = least is None or median(ratios) >= least
        self.figure(name, figure, reached, f"≥ {least:g}" if least else "")

    def figure(self, name: str, figure: str, reached: bool, goal: str) -> None:
        """Keep a row of the table."""
        self.rows.append((name, figure, goal, ("yes" if reached else "**no**") if goal else ""))
        console.print(f"[bold]{name}[/bold]: {figure}; goal {goal}: {reached}")

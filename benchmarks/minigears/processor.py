"""Processor time of one operation in door, executor and Redis; and its ratio to plain Redis's.

    python -m benchmarks.minigears.processor [--rounds 3] [--count 6000] [--only capture] [--write]

Processor time hardly depends on what else the machine does, so this is what to change code by. The documents
are the course's films, of about 1 KB.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import click
from rich.console import Console

from benchmarks import tables
from benchmarks.minigears.costs import Servers
from benchmarks.minigears.operations import BATCH_KEYS, fill, json_set, plain_set, read_all
from benchmarks.ownstack import own_stack
from benchmarks.turns import times
from lab import Stack
from recipes.streams import Partitions, WriteBehind
from tests.ending import end_in_order

SYNC = "GB('KeysReader').foreach(lambda r: None).register('MovieEntity:*', mode='sync')"
RECIPE = """
from rgsync import RGJSONWriteBehind
from rgsync.Connectors import MongoConnection, MongoConnector
connection = MongoConnection('', '', '', conn_string=gearsConfigGet('mongoUrl'))
RGJSONWriteBehind(GB, keysPrefix='MovieEntity', name='Bench', version='99.99.99',
                  connector=MongoConnector(connection, 'bench', 'movies', 'movieId'))
"""
BATCHES = {
    "count": "GB().count().run('Batch:*')",
    "map, filter, countby": (
        "GB().map(lambda r: r['value']).filter(lambda v: int(v['n']) % 2).countby(lambda v: v['group']).run('Batch:*')"
    ),
}
REQUIREMENTS = ("REQUIREMENTS", "rgsync==1.2.0", "pymongo==3.12.0")
CLIENTS = 20
SHAPES = {"20 clients": (CLIENTS, 1), "1 client": (1, 1), "pipelines of 50": (1, 50)}

console = Console()


class Processor:
    """All arms on one stack."""

    def __init__(self, stack: Stack, rounds: int, count: int):
        self._stack = stack
        self._rounds, self._count = rounds, count
        front, back = (
            int(url.rpartition(":")[2].partition("/")[0])
            for url in (stack.redis_url, stack.redis_direct_url)
        )
        self._servers = Servers(front, back)
        self.rows: list[tuple[str, ...]] = []

    def all(self) -> None:
        """Capture at the door, relay, a sync function that does nothing, rgsync, batch runs."""
        self.capture()
        self.relay()
        self.sync()
        self.rgsync()
        self.batch()

    def relay(self) -> None:
        """Writes that nobody watches."""
        for shape in SHAPES:
            self._arm(f"relay of SET, {shape}", shape, None)
        for shape in SHAPES:
            self._arm(f"relay of JSON.SET, {shape}", shape, "Other")

    def sync(self) -> None:
        """Writes that a function is called for."""
        with self._registered(SYNC):
            for shape in SHAPES:
                self._arm(f"sync function that does nothing, {shape}", shape, "MovieEntity")

    def rgsync(self) -> None:
        """Writes that rgsync takes to MongoDB."""
        self._stack.redis.execute_command("RG.CONFIGSET", "mongoUrl", self._stack.recipe_mongo_url)
        with self._registered(RECIPE, *REQUIREMENTS):
            for shape in SHAPES:
                self._arm(f"rgsync, {shape}", shape, "MovieEntity")
            self._pause_batches()
            shape = "pipelines of 50"
            self._arm(f"rgsync, no batch runs, {shape}", shape, "MovieEntity")

    def _pause_batches(self) -> None:
        """What functions of streams take away from the others is not measured any more."""
        for registration in self._stack.redis.execute_command("RG.DUMPREGISTRATIONS"):
            if registration[3] == "StreamReader":
                self._stack.redis.execute_command("RG.PAUSEREGISTRATIONS", registration[1])

    def capture(self) -> None:
        """Writes that the door captures; no worker takes them away."""
        client = self._stack.redis
        WriteBehind(client).prepare()
        client.execute_command("RG.CAPTURE", "REGISTER", "Captured:")
        for shape in SHAPES:
            self._arm(f"capture at the door, {shape}", shape, "Captured")
        client.execute_command("RG.CAPTURE", "UNREGISTER", "Captured:")
        client.flushall()

    def batch(self) -> None:
        """Runs over many keys, for each key."""
        fill(self._servers.back)

        def run(script: str) -> float:
            started = time.perf_counter()
            _, errors = self._stack.redis.execute_command("RG.PYEXECUTE", script)
            assert not errors
            return BATCH_KEYS / (time.perf_counter() - started)

        for name, script in BATCHES.items():
            front = functools.partial(run, script)
            alone = functools.partial(read_all, self._servers.back)
            self._measure(f"batch run: {name}", alone, front, BATCH_KEYS)
        self._stack.redis.flushall()

    def _arm(self, title: str, shape: str, prefix: str | None) -> None:
        clients, depth = SHAPES[shape]
        count = self._count if prefix == "MovieEntity" else 4 * self._count
        count = count // 3 if shape == "1 client" else count

        def run(port: int, prefix: str | None) -> float:
            if prefix is None:
                return plain_set(port, count, clients, depth)
            return json_set(port, prefix, count, clients, depth)

        def emptied() -> float:
            for partition in Partitions().all():
                self._stack.redis.xtrim(partition.stream, 0, approximate=False)
            # Keys of their own: writers past the door have events, too.
            return run(self._servers.back, prefix and "Plain")

        self._measure(title, emptied, lambda: run(self._servers.front, prefix), count)

    def _measure(
        self, title: str, alone: Callable[[], float], front: Callable[[], float], count: int
    ) -> None:
        plain, costs = [], []
        for number in range(self._rounds + 1):
            reference, cost = self._servers.cost(alone, count), self._servers.cost(front, count)
            if number:
                plain.append(reference)
                costs.append(cost)
        middle = {
            name: median(getattr(c, name) for c in costs)
            for name in ("door", "executor", "redis", "total")
        }
        ratio = median(c.rate / p.rate for c, p in zip(costs, plain, strict=True))
        row = (
            title, f"{ratio:.2f}", *(f"{middle[n]:.1f}" for n in ("door", "executor", "redis")),
            f"{middle['total']:.1f}", f"{median(p.total for p in plain):.1f}",
            times((c.total for c in costs), (p.total for p in plain), 1),
        )  # fmt: skip
        self.rows.append(row)
        console.print("  ".join(row), highlight=False)

    @contextmanager
    def _registered(self, *script: str) -> Iterator[None]:
        client = self._stack.redis
        client.execute_command("RG.PYEXECUTE", *script)
        try:
            yield
        finally:
            for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
                client.execute_command("RG.UNREGISTER", registration[1])
            client.flushall()


COLUMNS = (
    "what",
    "rate, of plain Redis",
    "door µs",
    "executor µs",
    "Redis µs",
    "all",
    "plain Redis µs",
    "times plain",
)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Rounds of each figure that count.")
@click.option("--count", default=6_000, show_default=True, help="Concerned writes of a round.")
@click.option(
    "--only",
    type=click.Choice(["all", "capture", "relay", "sync", "rgsync", "batch"]),
    default="all",
    help="Which operations.",
)
@click.option("--write", "keep", is_flag=True, help="Renew the table of docs/minigears.md.")
def main(rounds: int, count: int, only: str, keep: bool) -> None:
    """Measure what one operation costs each server, on a stack of its own."""
    end_in_order()
    with own_stack() as stack:
        bench = Processor(stack, rounds, count)
        getattr(bench, only)()
    tables.show(COLUMNS, bench.rows)
    if keep:
        how = f"medians of {rounds} rounds"
        tables.renew("minigears", "processor", tables.figures(how, COLUMNS, bench.rows))


if __name__ == "__main__":
    main()

"""How fast the write-behind recipes are: ratios, measured in one run.

    python -m benchmarks.recipes [--rounds 5] [--pending 1000000] [--only NAME]... [--write]

`--write` keeps the raw rounds in benchmarks/results/ and puts the table into docs/recipes.md.
Needs no running stack: it starts servers of its own.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import redis.asyncio
from rich.table import Table

from benchmarks import drains, generator, tables
from benchmarks.loads import Measure, console, ratio, take_turns
from recipes.streams import AsyncWriteBehind, Limits, Partitions, WriteBehind
from recipes.streams.client.parcels import Lane, Lanes, Parcel, packed
from tests.ending import end_in_order
from tests.recipes.twelve.world import World

HERE = Path(__file__).resolve().parent
LIMITS = Limits(entries=10_000_000, bytes=1 << 40)
SHAPES = {  # name: clients, requests in all, pipelined, least ratio to plain, to minigears
    "1 client": (1, 4_000, 1, 0.75, 10.0),
    "20 clients": (20, 20_000, 1, 0.45, 5.0),
    "50 clients": (50, 20_000, 1, 0.45, None),
    "pipelines of 50": (1, 20_000, 50, 0.45, None),
}

BARE = """#!lua name=bare
redis.register_function('bare', function(keys, args)
  redis.call('JSON.SET', keys[1], '$', args[1])
  return redis.call('XADD', keys[2], '*', 'key', keys[1], 'doc', args[1])
end)"""
"""Document and entry in one function, and nothing else: no function library can cost less."""


FLOOR = 0.63
"""Of plain JSON.SET: the most that a document and its entry in one step were thought to reach. A goal above it
is shown beside what the barest function reaches."""


def documents() -> list[str]:
    """The course's movies, about 1 KB each. Without apostrophes: rgsync stops at the first.

    And without their ids, which are the keys': each text is written under many.
    """
    lines = (HERE.parent / "data" / "movies.jsonl").read_text("utf-8").splitlines()
    movies = [json.loads(line) for line in lines]
    for movie in movies:
        del movie["movieId"]
    return [json.dumps(movie, ensure_ascii=False).replace("'", "’") for movie in movies]


def zipf(count: int, keys: int, skew: float = 0.99) -> list[int]:
    """Keys by Zipf's law."""
    weights = [1 / (rank**skew) for rank in range(1, keys + 1)]
    return random.Random(1).choices(range(keys), weights, k=count)


class Bench:
    """Servers of its own, and what was measured on them."""

    def __init__(self, world: World, rounds: int, pending: int):
        self.world, self.rounds, self.pending_entries = world, rounds, pending
        self.raw: dict[str, dict[str, list[float]]] = {}
        self.rows: list[tuple[str, str, str, str]] = []
        self.texts = documents()
        for server in (world.redis, *world.databases.values()):
            server.start()
        self.redis = world.redis.client()
        self.client = WriteBehind(self.redis, Partitions(1), LIMITS)
        self.client.prepare()
        self.redis.execute_command("FUNCTION LOAD", BARE)

    def capture(self) -> None:
        """A captured write against plain JSON.SET, and against rgsync in minigears."""
        port = self.world.redis.port
        with drains.rgsync(self.world) as gears:
            for shape, (clients, count, depth, plain_goal, gears_goal) in SHAPES.items():
                arms = {
                    "plain": self._load(port, clients, count, depth, self._plain("Plain:")),
                    "captured": self._load(port, clients, count, depth, self._captured)
                    if depth == 1
                    else self._bundles(port, count, depth),
                }
                if plain_goal > FLOOR:
                    arms["barest"] = self._load(port, clients, count, depth, self._barest)
                if gears_goal:
                    few = count // 4
                    words = self._plain("MovieEntity:")
                    arms["minigears"] = self._load(gears.port, clients, few, depth, words)
                figures = self._turns(f"captured write, {shape}", arms)
                self._row(
                    f"captured write, {shape}", figures["captured"], figures["plain"],
                    "of plain JSON.SET", plain_goal,
                )  # fmt: skip
                if barest := figures.get("barest"):
                    self._row(
                        f"captured write, {shape}", figures["captured"], barest,
                        "of JSON.SET and XADD in the barest function", None,
                    )  # fmt: skip
                if gears_goal:
                    self._row(
                        f"captured write, {shape}", figures["captured"], figures["minigears"],
                        "times minigears with rgsync", gears_goal,
                    )  # fmt: skip

    def python_client(self) -> None:
        """The same from Python, where the client's own work counts; sync, and on asyncio."""
        writes = [(f"Movie:{n % 500}", self._text(n)) for n in range(2_000)]

        def arm(write: Callable[[str, str], Any]) -> Measure:
            def measure() -> float:
                self._empty()
                started = time.perf_counter()
                for key, text in writes:
                    write(key, text)
                return len(writes) / (time.perf_counter() - started)

            return measure

        def async_arm(write: Callable[[str, str], Any]) -> Measure:
            async def all_of_them() -> float:
                started = time.perf_counter()
                for key, text in writes:
                    await write(key, text)
                return len(writes) / (time.perf_counter() - started)

            def measure() -> float:
                self._empty()
                return loop.run_until_complete(all_of_them())

            return measure

        loop = asyncio.new_event_loop()
        there: Any = redis.asyncio.Redis(port=self.world.redis.port)
        kinds: dict[str, Any] = {
            "Python": (arm, self.redis, self.client),
            "asyncio": (async_arm, there, AsyncWriteBehind(there, Partitions(1), LIMITS)),
        }
        for kind, (made, plainly, capturing) in kinds.items():
            set_plainly = partial(plainly.execute_command, "JSON.SET")
            arms = {
                "plain": made(lambda key, text, send=set_plainly: send(key, "$", text)),
                "captured": made(capturing.set),
            }
            figures = self._turns(f"1 client, {kind}", arms)
            self._row(
                f"captured write, 1 client of {kind}", figures["captured"], figures["plain"],
                "of redis-py's JSON.SET", None,
            )  # fmt: skip
        loop.run_until_complete(there.aclose())
        loop.close()

    def drain(self) -> None:
        """A backlog of different keys, against a bare loop of the same bulk writes."""
        for database in ("mongo", "postgres"):
            count = 10_000
            entries = [(f"Movie:{n}", self.texts[n % len(self.texts)]) for n in range(count)]
            arms: dict[str, Measure] = {
                "bare loop": partial(drains.bare, self.world, database, entries),
                "worker": partial(self._drained, database, entries),
            }
            figures = self._turns(f"drain, {database}", arms)
            self._row(
                f"drain of {count:,} entries, {database}", figures["worker"],
                figures["bare loop"], "of a bare loop of the same bulk writes", 0.85,
            )  # fmt: skip
            if binary := figures.get("binary loop"):
                self._row(
                    f"drain of {count:,} entries, {database}", figures["worker"], binary,
                    "of the same loop with its arrays in binary, as the sink sends them", None,
                )  # fmt: skip

    def zipf(self) -> None:
        """Skewed keys: coalescing against rgsync."""
        keys = zipf(5_000, 5_000)
        entries = [(f"Movie:{n}", self.texts[n % len(self.texts)]) for n in keys]
        with drains.rgsync(self.world) as gears:
            arms = {
                "rgsync": lambda: gears.drained(entries),
                "worker": lambda: self._drained("mongo", entries),
            }
            figures = self._turns("Zipf 0.99", arms)
        self._row(
            "drain, keys by Zipf 0.99", figures["worker"], figures["rgsync"],
            "times rgsync's entries a second", 5.0,
        )  # fmt: skip

    def lag(self) -> None:
        """Commit less capture, at half the rate that the database can take."""
        entries = [(f"Movie:{n}", self.texts[n % len(self.texts)]) for n in range(5_000)]
        for database in ("mongo", "postgres"):
            rate = drains.bare(self.world, database, entries)
            self._empty()
            lags = drains.lags(self.world, database, self.texts, rate / 2, 10)
            bulk = 500 / rate
            goal = 2 * 0.1 + bulk
            p99 = sorted(lags)[int(len(lags) * 0.99)]
            name = f"lag p99 at half the rate, {database}"
            self.raw[name] = {"p99 s": [p99], "bulk s": [bulk], "entries": [len(lags)]}
            self._plain_row(name, f"{p99 / goal:.2f} of two batch intervals and a bulk", p99 <= goal,
                            "≤ 1")  # fmt: skip

    def bounded(self) -> None:
        """Memory with the database away, at the cap and after as much again was refused."""
        self._empty()
        client = WriteBehind(self.redis, Partitions(1), Limits(entries=10_000, wait=0))
        used = []
        for _ in range(3):
            calls = [
                client.call("JSON.SET", f"Movie:{n % 500}", "$", self.texts[n % len(self.texts)])
                for n in range(10_000)
            ]
            for start in range(0, len(calls), 500):
                client.run(calls[start : start + 500])
            used.append(float(self.redis.info("memory")["used_memory"]))
        depth = self.redis.xlen(Partitions(1)[0].stream)
        name = "memory, database away"
        self.raw[name] = {"bytes": used, "entries": [depth]}
        grown = used[-1] / used[0]
        figure = f"{grown:.3f} of what it was at the cap, after twice as much was refused"
        self._plain_row(name, figure, grown <= 1.05 and depth <= 10_000, "≤ 1.05")

    def pending(self) -> None:
        """A captured write, and an entry drained, with few and with many waiting."""
        port, figures = self.world.redis.port, {}
        for waiting in (20_000, self.pending_entries):
            self._empty()
            drains.fill(self.redis, waiting)
            rates = [
                generator.run(port, self._requests(1, 2_000, self._captured))
                for _ in range(self.rounds + 1)
            ][1:]
            figures[f"captured, {waiting:,} wait"] = rates
            drain = drains.null_drain(self.world, 20_000)
            figures[f"drained, {waiting:,} wait"] = [drain]
        self._empty()
        self.raw["pending"] = figures
        few, few_out, many, many_out = figures.values()
        name = f"{self.pending_entries:,} entries wait"
        self._row(f"captured write, {name}", many, few, "of the rate with 20,000", 0.9)
        self._row(
            f"reading and settling, {name}", many_out, few_out, "of the rate with 20,000", 0.9
        )

    def _plain(self, prefix: str) -> Callable[[int, int, str], list[Any]]:
        return lambda client, n, text: ["JSON.SET", f"{prefix}{n % 500}", "$", text]

    def _barest(self, client: int, n: int, text: str) -> list[Any]:
        return ["FCALL", "bare", 2, f"Bare:{n % 500}", self.client.partitions[0].stream, text]

    def _captured(self, client: int, n: int, text: str) -> list[Any]:
        call = self.client.call("JSON.SET", f"Movie:{n % 500}", "$", text)
        return Parcel([call], Lane(f"{self._lane}-{client}"), n + 1).words(LIMITS)

    def _requests(self, clients: int, count: int, words: Any) -> list[list[bytes]]:
        self._lane = random.randbytes(6).hex()
        each = count // clients
        return [
            [
                generator.encode(words(c, n, self.texts[(n + c) % len(self.texts)]))
                for n in range(each)
            ]
            for c in range(clients)
        ]

    def _load(self, port: int, clients: int, count: int, depth: int, words: Any) -> Measure:
        def measure() -> float:
            self._empty()
            return generator.run(port, self._requests(clients, count, words), depth)

        return measure

    def _bundles(self, port: int, count: int, depth: int) -> Measure:
        """Pipelines as the client sends them: one call for a pipeline's writes to a partition."""

        def measure() -> float:
            self._empty()
            lanes, requests = Lanes(), []
            for start in range(0, count, depth):
                calls = [
                    self.client.call("JSON.SET", f"Movie:{n % 500}", "$", self._text(n))
                    for n in range(start, start + depth)
                ]
                parcels = packed(calls, lanes)
                requests += [generator.encode(parcel.words(LIMITS)) for parcel in parcels]
                lanes.give(parcel.lane for parcel in parcels)
            rate = generator.run(port, [requests]) * count / len(requests)
            assert self.redis.xlen(self.client.partitions[0].stream) == count  # none was refused
            return rate

        return measure

    def _text(self, number: int) -> str:
        return self.texts[number % len(self.texts)]

    def _drained(self, database: str, entries: list[tuple[str, str]]) -> float:
        self._empty()
        return drains.worker(self.world, self.client, database, entries)

    def _empty(self) -> None:
        """No documents and no queue; registrations and functions stay."""
        self.redis.flushall()
        self.client._ready = False
        self.client.prepare()

    def _turns(self, name: str, arms: dict[str, Measure]) -> dict[str, list[float]]:
        console.rule(name, align="left")
        self.raw[name] = take_turns(arms, self.rounds)
        return self.raw[name]

    def _row(
        self, name: str, over: list[float], under: list[float], of: str, least: float | None
    ) -> None:
        ratios = sorted(a / b for a, b in zip(over, under, strict=True))
        figure = f"{ratio(over, under):.2f} {of} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        reached = least is None or median(ratios) >= least
        self._plain_row(name, figure, reached, f"≥ {least:g}" if least else "")

    def _plain_row(self, name: str, figure: str, reached: bool, goal: str) -> None:
        self.rows.append((name, figure, goal, ("yes" if reached else "**no**") if goal else ""))
        console.print(f"[bold]{name}[/bold]: {figure}; goal {goal}: {reached}")


def write(bench: Bench, left_out: list[str]) -> None:
    """Keep the rounds, and renew the table of docs/recipes.md."""
    missed = [f"{name} ({figure}; {goal})" for name, figure, goal, ok in bench.rows if "no" in ok]
    goals = f"Goals missed: {'; '.join(missed) or 'none'}."
    lines = [
        f"Measured on {tables.MACHINE}; medians of {bench.rounds} rounds, ratios round by round, least to most.",
        "",
        goals + (f" Not measured in this run: {', '.join(left_out)}." if left_out else ""),
        "",
        "| what | measured | goal | reached |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in bench.rows),
    ]
    tables.keep("recipes", bench.raw, lines)


PARTS = ("capture", "python_client", "drain", "zipf", "lag", "bounded", "pending")


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds of each figure that count.")
@click.option("--pending", default=1_000_000, show_default=True, help="Entries in the long queue.")
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="Measure this part only.")
@click.option("--write", "keep", is_flag=True, help="Keep the rounds and renew the table.")
def main(rounds: int, pending: int, only: tuple[str, ...], keep: bool) -> None:
    """Measure the write-behind recipes beside plain Redis and bare databases."""
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="recipes-") as folder:
        world = World(Path(folder))
        try:
            bench = Bench(world, rounds, pending)
            for part in only or PARTS:
                getattr(bench, part)()
        finally:
            world.close()
    table = Table("what", "measured", "goal", "reached")
    for row in bench.rows:
        table.add_row(*row)
    console.print(table)
    if keep:
        write(bench, [part for part in PARTS if only and part not in only])


if __name__ == "__main__":
    main()

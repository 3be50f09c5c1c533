"""How fast the write-behind recipes are: ratios, measured in one run.

    python -m benchmarks.recipes [--rounds 5] [--pending 1000000] [--only NAME]... [--write]

`--write` keeps the raw rounds in benchmarks/results/ and puts the table into docs/recipes.md.
Needs no running stack: it starts servers of its own.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import redis.asyncio
from rich.table import Table

from benchmarks import generator, tables
from benchmarks.recipes import drains
from benchmarks.recipes.bench import LIMITS, Bench
from benchmarks.turns import Measure, console
from recipes.streams import AsyncWriteBehind, Limits, Partitions, WriteBehind
from tests.ending import end_in_order
from tests.recipes.twelve.world import World

SHAPES = {  # name: clients, requests in all, pipelined, least ratio to plain, to minigears
    "1 client": (1, 4_000, 1, 0.75, 10.0),
    "20 clients": (20, 20_000, 1, 0.45, 5.0),
    "50 clients": (50, 20_000, 1, 0.45, None),
    "pipelines of 50": (1, 20_000, 50, 0.45, None),
}
FLOOR = 0.63
"""Of plain JSON.SET: the most that a document and its entry in one step were thought to reach. A goal above it
is shown beside what the barest function reaches."""


def zipf(count: int, keys: int, skew: float = 0.99) -> list[int]:
    """Keys by Zipf's law."""
    weights = [1 / (rank**skew) for rank in range(1, keys + 1)]
    return random.Random(1).choices(range(keys), weights, k=count)


def capture(bench: Bench) -> None:
    """A captured write against plain JSON.SET, and against rgsync in minigears."""
    port = bench.world.redis.port
    with drains.rgsync(bench.world) as gears:
        for shape, (clients, count, depth, plain_goal, gears_goal) in SHAPES.items():
            arms = {
                "plain": bench.load(port, clients, count, depth, bench.plain("Plain:")),
                "captured": bench.load(port, clients, count, depth, bench.captured)
                if depth == 1
                else bench.bundles(port, count, depth),
            }
            if plain_goal > FLOOR:
                arms["barest"] = bench.load(port, clients, count, depth, bench.barest)
            if gears_goal:
                words = bench.plain("MovieEntity:")
                arms["minigears"] = bench.load(gears.port, clients, count // 4, depth, words)
            name = f"captured write, {shape}"
            figures = bench.turns(name, arms)
            for under, of, goal in (
                ("plain", "of plain JSON.SET", plain_goal),
                ("barest", "of JSON.SET and XADD in the barest function", None),
                ("minigears", "times minigears with rgsync", gears_goal),
            ):
                if under in figures:
                    bench.row(name, figures["captured"], figures[under], of, goal)


Write = Callable[[str, str], Any]


def python_client(bench: Bench) -> None:
    """The same from Python, where the client's own work counts; sync, and on asyncio."""
    writes = [(f"Movie:{n % 500}", bench.text(n)) for n in range(2_000)]
    loop = asyncio.new_event_loop()
    there: Any = redis.asyncio.Redis(port=bench.world.redis.port)
    kinds: dict[str, Any] = {
        "Python": (one_by_one, bench.redis, bench.client),
        "asyncio": (
            partial(one_by_one_on, loop),
            there,
            AsyncWriteBehind(there, Partitions(1), LIMITS),
        ),
    }
    for kind, (arm, plainly, capturing) in kinds.items():
        set_plainly = partial(plainly.execute_command, "JSON.SET")
        arms = {
            "plain": arm(bench, writes, lambda key, text, send=set_plainly: send(key, "$", text)),
            "captured": arm(bench, writes, capturing.set),
        }
        figures = bench.turns(f"1 client, {kind}", arms)
        name = f"captured write, 1 client of {kind}"
        bench.row(name, figures["captured"], figures["plain"], "of redis-py's JSON.SET")
    loop.run_until_complete(there.aclose())
    loop.close()


def one_by_one(bench: Bench, writes: list[tuple[str, str]], write: Write) -> Measure:
    """Each write when the one before has its reply."""

    def measure() -> float:
        bench.empty()
        started = time.perf_counter()
        for key, text in writes:
            write(key, text)
        return len(writes) / (time.perf_counter() - started)

    return measure


def one_by_one_on(
    loop: asyncio.AbstractEventLoop, bench: Bench, writes: list[tuple[str, str]], write: Write
) -> Measure:
    """The same on asyncio."""

    async def all_of_them() -> float:
        started = time.perf_counter()
        for key, text in writes:
            await write(key, text)
        return len(writes) / (time.perf_counter() - started)

    def measure() -> float:
        bench.empty()
        return loop.run_until_complete(all_of_them())

    return measure


def drain(bench: Bench) -> None:
    """A backlog of different keys, against a bare loop of the same bulk writes."""
    entries = bench.entries(range(10_000))
    for database in ("mongo", "postgres"):
        arms: dict[str, Measure] = {
            "bare loop": partial(drains.bare, bench.world, database, entries),
            "worker": partial(bench.drained, database, entries),
        }
        if database == "postgres":
            arms["binary loop"] = partial(drains.bare, bench.world, database, entries, "%b")
        figures = bench.turns(f"drain, {database}", arms)
        name = f"drain of {len(entries):,} entries, {database}"
        of = "of a bare loop of the same bulk writes"
        bench.row(name, figures["worker"], figures["bare loop"], of, 0.85)
        if "binary loop" in figures:
            of = "of the same loop with its arrays in binary, as the sink sends them"
            bench.row(name, figures["worker"], figures["binary loop"], of)


def skewed(bench: Bench) -> None:
    """Skewed keys: coalescing against rgsync."""
    entries = bench.entries(zipf(5_000, 5_000))
    with drains.rgsync(bench.world) as gears:
        arms = {
            "rgsync": lambda: gears.drained(entries),
            "worker": lambda: bench.drained("mongo", entries),
        }
        figures = bench.turns("Zipf 0.99", arms)
    of = "times rgsync's entries a second"
    bench.row("drain, keys by Zipf 0.99", figures["worker"], figures["rgsync"], of, 5.0)


def lag(bench: Bench) -> None:
    """Commit less capture, at half the rate that the database can take."""
    entries = bench.entries(range(5_000))
    for database in ("mongo", "postgres"):
        rate = drains.bare(bench.world, database, entries)
        bench.empty()
        texts = [text for _, text in entries]
        lags = drains.lags(bench.world, database, texts, rate / 2, 10)
        bulk = 500 / rate
        goal = 2 * 0.1 + bulk
        p99 = sorted(lags)[int(len(lags) * 0.99)]
        name = f"lag p99 at half the rate, {database}"
        bench.raw[name] = {"p99 s": [p99], "bulk s": [bulk], "entries": [len(lags)]}
        figure = f"{p99 / goal:.2f} of two batch intervals and a bulk"
        bench.figure(name, figure, p99 <= goal, "≤ 1")


def bounded(bench: Bench) -> None:
    """Memory with the database away, at the cap and after as much again was refused."""
    bench.empty()
    client = WriteBehind(bench.redis, Partitions(1), Limits(entries=10_000, wait=0))
    used = []
    for _ in range(3):
        calls = [
            client.call("JSON.SET", f"Movie:{n % 500}", "$", bench.text(n)) for n in range(10_000)
        ]
        for start in range(0, len(calls), 500):
            client.run(calls[start : start + 500])
        memory: Any = bench.redis.info("memory")
        used.append(float(memory["used_memory"]))
    depth: Any = bench.redis.xlen(Partitions(1)[0].stream)
    name = "memory, database away"
    bench.raw[name] = {"bytes": used, "entries": [depth]}
    grown = used[-1] / used[0]
    figure = f"{grown:.3f} of what it was at the cap, after twice as much was refused"
    bench.figure(name, figure, grown <= 1.05 and depth <= 10_000, "≤ 1.05")


def pending(bench: Bench) -> None:
    """A captured write, and an entry drained, with few and with many waiting."""
    port, figures = bench.world.redis.port, {}
    for waiting in (20_000, bench.pending_entries):
        bench.empty()
        drains.fill(bench.redis, waiting)
        rates = [
            generator.run(port, bench.requests(1, 2_000, bench.captured))
            for _ in range(bench.rounds + 1)
        ][1:]
        figures[f"captured, {waiting:,} wait"] = rates
        figures[f"drained, {waiting:,} wait"] = [drains.null_drain(bench.world, 20_000)]
    bench.empty()
    bench.raw["pending"] = figures
    few, few_out, many, many_out = figures.values()
    name = f"{bench.pending_entries:,} entries wait"
    bench.row(f"captured write, {name}", many, few, "of the rate with 20,000", 0.9)
    bench.row(f"reading and settling, {name}", many_out, few_out, "of the rate with 20,000", 0.9)


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


PARTS = {
    **{"capture": capture, "python_client": python_client, "drain": drain, "zipf": skewed},
    **{"lag": lag, "bounded": bounded, "pending": pending},
}


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds of each figure that count.")
@click.option("--pending", default=1_000_000, show_default=True, help="Entries in the long queue.")
@click.option("--only", multiple=True, type=click.Choice([*PARTS]), help="Measure this part only.")
@click.option("--write", "keep", is_flag=True, help="Keep the rounds and renew the table.")
def main(rounds: int, pending: int, only: tuple[str, ...], keep: bool) -> None:
    """Measure the write-behind recipes beside plain Redis and bare databases."""
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="recipes-") as folder:
        world = World(Path(folder))
        try:
            bench = Bench(world, rounds, pending)
            for part in only or PARTS:
                PARTS[part](bench)
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

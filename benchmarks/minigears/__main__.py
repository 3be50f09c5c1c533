"""How fast minigears is beside plain Redis: ratios, measured in one run.

    python -m benchmarks.minigears [--rounds 5] [--pending 1000000] [--write]

`--write` keeps the raw rounds in benchmarks/results/ and puts the table into docs/minigears.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import click
import psutil
import redis
from rich.table import Table

import lab
from benchmarks import tables
from benchmarks.minigears.loads import json_set, json_sets, look_ups, redis_benchmark
from benchmarks.minigears.processor import RECIPE, REQUIREMENTS
from benchmarks.ownstack import own_stack
from benchmarks.turns import Measure, console, ratio, take_turns
from lab import paths
from lab.stack.embedded import sockets
from recipes.streams import WriteBehind
from tests.ending import end_in_order


@contextmanager
def capturing_door(back: int) -> Iterator[int]:
    """A minigears that captures keys with the prefix `Captured:`; its port."""
    command = [sys.executable, "-m", "minigears", "--redis", f"redis://127.0.0.1:{back}"]
    command += ["--listen", "127.0.0.1:0", "--capture", "Captured:", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.terminate()


@contextmanager
def bare_relay() -> Iterator[int]:
    """A relay that does nothing else before the stack's Redis; its port."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.minigears.bare_relay",
        str(sockets.path(paths.home())),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Bench:
    """One stack of its own, and what was measured on it."""

    def __init__(self, stack: lab.Stack, rounds: int):
        self.stack = stack
        self.rounds = rounds
        self.front = int(stack.redis_url.rpartition(":")[2].partition("/")[0])
        self.back = int(stack.redis_direct_url.rpartition(":")[2].partition("/")[0])
        self.raw: dict[str, dict[str, list[float]]] = {}
        self.rows: list[tuple[str, str, str, str]] = []

    def relay(self) -> None:
        """No registration: what the relay itself costs, and what any relay would."""
        with bare_relay() as bare:
            self._relay(bare)

    def _relay(self, bare: int) -> None:
        for name, options, requests, goal in (
            ("relay, unpipelined", (), 60_000, "≥ 0.65"),
            ("relay, unpipelined, 200 clients", ("-c", "200"), 60_000, ""),
            ("relay, unpipelined, 1 client", ("-c", "1"), 15_000, ""),
            ("relay, pipelines of 16", ("-P", "16"), 400_000, "≥ 0.6"),
        ):
            figures = self._turns(
                name,
                plain=redis_benchmark(self.back, *options, requests=requests),
                minigears=redis_benchmark(self.front, *options, requests=requests),
                bare=redis_benchmark(bare, *options, requests=requests),
            )
            floor = f"of plain Redis (a bare relay: {ratio(figures['bare'], figures['plain']):.2f})"
            self._row(name, figures["minigears"], figures["plain"], floor, goal)

    def other_keys(self) -> None:
        """Keys that no registration concerns, without and with rgsync registered, in turn."""
        console.rule("other keys", align="left")
        arms = {
            "unpipelined": redis_benchmark(self.front, requests=60_000),
            "pipelines of 16": redis_benchmark(self.front, "-P", "16", requests=400_000),
        }
        figures: dict[str, dict[str, list[float]]] = {
            name: {"without": [], "with rgsync": []} for name in arms
        }
        for number in range(self.rounds + 1):
            for state in ("without", "with rgsync"):
                if state == "with rgsync":
                    self.register()
                for name, measure in arms.items():
                    value = measure()
                    if number:
                        figures[name][state].append(value)
                        console.print(f"  {name}, {state}: {value:,.0f}/s", highlight=False)
            self.unregister()
        for name, raw in figures.items():
            title = f"other keys, {name}"
            self.raw[title] = raw
            self._row(
                title,
                raw["with rgsync"],
                raw["without"],
                "of the relay without registrations",
                "≥ 0.9",
            )

    def write_behind(self) -> None:
        """Keys that rgsync's RGJSONWriteBehind is about."""
        self.register()
        for name, depth, count, goal in (
            ("write-behind, unpipelined", 1, 2_000, 2_400),
            ("write-behind, pipelines of 50", 50, 10_000, 6_900),
        ):
            figures = self._turns(
                name,
                plain=json_set(self.back, "Plain", count, depth),
                minigears=json_set(self.front, "MovieEntity", count, depth),
            )
            self._row(
                name, figures["minigears"], figures["plain"], "of plain Redis",
                f"{goal:,}/s (RedisGears 1.2.13, on another day)",
            )  # fmt: skip
        self.unregister()

    def capture(self) -> None:
        """Writes captured at the door, beside plain JSON.SET."""
        with redis.Redis(port=self.back) as client:
            WriteBehind(client).prepare()
        with capturing_door(self.back) as door:
            name = "capture at the door, 20 clients"
            figures = self._turns(
                name,
                plain=json_sets(self.back, "Plain", self.back),
                minigears=json_sets(door, "Captured", self.back),
            )
        self._row(name, figures["minigears"], figures["plain"], "of plain JSON.SET", "≥ 0.31")

    def many_events(self, count: int) -> None:
        """One long run of events, and what it leaves in memory."""
        console.rule(f"{count:,} events in one run", align="left")
        self.register()
        json_set(self.front, "MovieEntity", 10_000, 50)()
        before = self._memory()
        rate = json_set(self.front, "MovieEntity", count, 50)()
        grown = (self._memory() - before) / 2**20
        self.unregister()
        title = f"write-behind, {count:,} events in one run"
        self.raw[title] = {"rate": [rate], "MiB grown": [grown]}
        self.rows.append(
            (title, f"{rate:,.0f}/s, memory grew by {grown:.1f} MiB", "", "memory flat")
        )

    def many_registrations(self, count: int) -> None:
        """What it takes to tell whom an event concerns, with one registration and with many."""
        figures = {f"{n:,}": [look_ups(n) for _ in range(self.rounds)] for n in (1, count)}
        self.raw["registrations"] = figures
        one, many = figures.values()
        title = f"look-ups of an event, {count:,} registrations"
        self._row(title, many, one, "of the rate with 1 registration", "flat")

    def _memory(self) -> int:
        """Bytes of the door and the executor."""
        (door,) = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.front
        ]
        process = psutil.Process(door)
        return sum(p.memory_info().rss for p in (process, *process.children()))

    def pending(self, counts: list[int]) -> None:
        """Cost of an event while entries wait in the stream, since MongoDB is away."""
        self.register()
        lab.stop("mongo")
        alone = "write-behind, unpipelined, MongoDB away"
        figures = self._turns(
            alone,
            plain=json_set(self.back, "Plain", 2_000, 1),
            minigears=json_set(self.front, "MovieEntity", 2_000, 1),
        )
        self._row(alone, figures["minigears"], figures["plain"], "of plain Redis", "")
        figures = {}
        memory: dict[str, list[float]] = {}
        for count in counts:
            self._fill(count)
            measure = json_set(self.front, "MovieEntity", 2_000, 50)
            measure()
            figures[f"{count:,}"] = [measure() for _ in range(self.rounds)]
            memory[f"{count:,}"] = [self._memory() / 2**20]
        lab.start("mongo")
        self.unregister()
        self.raw["pending"] = figures
        self.raw["pending, MiB of door and executor"] = memory
        first, last = figures[f"{counts[0]:,}"], figures[f"{counts[-1]:,}"]
        title = f"write-behind, {counts[-1]:,} entries pending"
        self._row(title, last, first, f"of the rate with {counts[0]:,} pending", "flat")
        grown = memory[f"{counts[-1]:,}"][0] - memory[f"{counts[0]:,}"][0]
        title = f"memory, {counts[-1]:,} entries pending"
        self.rows.append((title, f"{grown:+.1f} MiB against {counts[0]:,} pending", "", "flat"))

    def register(self) -> None:
        """Register rgsync's recipe as it is shipped."""
        client = self.stack.redis
        client.execute_command("RG.CONFIGSET", "mongoUrl", self.stack.recipe_mongo_url)
        client.execute_command("RG.PYEXECUTE", RECIPE, *REQUIREMENTS)

    def unregister(self) -> None:
        """Take it out again, with the streams that it leaves behind."""
        client = self.stack.redis
        for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
            client.execute_command("RG.UNREGISTER", registration[1])
        client.flushall()

    def _fill(self, count: int) -> None:
        client = self.stack.redis_direct
        (stream,) = client.keys("_movies-stream-*") or [self._first_write()]
        missing = count - client.xlen(stream)
        script = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', '#', '=', 'movieId', '1', " \
                 "'redisgears', '{}', '_original_key', 'MovieEntity:1') end"  # fmt: skip
        for start in range(0, missing, 10_000):
            client.eval(script, 1, stream, min(10_000, missing - start))

    def _first_write(self) -> str:
        json_set(self.front, "MovieEntity", 1, 1)()
        return str(self.stack.redis_direct.keys("_movies-stream-*")[0])

    def _turns(self, name: str, **arms: Measure) -> dict[str, list[float]]:
        console.rule(name, align="left")
        self.raw[name] = take_turns(arms, self.rounds)
        return self.raw[name]

    def _row(self, name: str, over: list[float], under: list[float], of: str, goal: str) -> None:
        figure = f"{median(over):,.0f}/s, {ratio(over, under):.2f} {of}"
        spread = f"{min(over):,.0f} to {max(over):,.0f}"
        self.rows.append((name, figure, spread, goal))


def write(bench: Bench) -> None:
    """Keep the rounds, and renew the table of docs/minigears.md."""
    lines = [
        f"Measured on {tables.MACHINE}; median of {bench.rounds} rounds or more, ratios round by round.",
        "",
        "| what | measured | range | goal |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in bench.rows),
    ]
    tables.keep("minigears", bench.raw, lines)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds of each figure that count.")
@click.option("--pending", default=1_000_000, show_default=True, help="Entries in the long stream.")
@click.option("--write", "keep", is_flag=True, help="Keep the rounds and renew the table.")
def main(rounds: int, pending: int, keep: bool) -> None:
    """Measure minigears beside plain Redis, on a stack of its own."""
    end_in_order()
    if not shutil.which("redis-benchmark"):
        raise click.ClickException("redis-benchmark is missing; Debian has it in redis-tools")
    with own_stack() as stack:
        bench = Bench(stack, rounds)
        bench.relay()
        bench.other_keys()
        bench.write_behind()
        bench.capture()
        bench.many_events(100_000)
        bench.many_registrations(100_000)
        bench.pending([1, 1_000, pending])
    table = Table("what", "measured", "range", "goal")
    for row in bench.rows:
        table.add_row(*row)
    console.print(table)
    if keep:
        write(bench)


if __name__ == "__main__":
    main()

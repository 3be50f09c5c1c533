"""How much quicker minigears is than it was, and what that makes of its ratios to RedisGears.

    python -m benchmarks.minigears.since [--revision c42f217] [--rounds 5] [--count 6000] [--only TEXT] [--write]

RedisGears itself is not to be had any more. It was measured once, beside the minigears of that revision, on another
machine: the ratios in `ARMS`. Here that minigears and today's run in turns, so each row has a factor of one run. The
product of both is what the goals are compared with: an estimate, since a factor may differ between machines.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

import click
import psutil

from benchmarks import tables
from benchmarks.minigears.operations import BATCH_KEYS, fill, json_set, plain_set
from benchmarks.minigears.processor import BATCHES, RECIPE, REQUIREMENTS, SYNC
from benchmarks.turns import console, take_turns, times
from tests.ending import end_in_order
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
REVISION = "c42f217"
"""What was measured beside RedisGears 1.2.13."""


@dataclass(frozen=True)
class Arm:
    """What is measured, how far it was from RedisGears, and how far it may be."""

    name: str
    kind: str
    """What is registered: nothing, a function that does nothing, rgsync; or a batch run's name."""
    clients: int
    depth: int
    then: float
    """Rate beside RedisGears's, as measured then."""
    goal: float


ARMS = (
    Arm("JSON.SET, relayed, 20 clients", "relay", 20, 1, 0.44, 0.7),
    Arm("JSON.SET, relayed, 50 clients", "relay", 50, 1, 0.49, 0.7),
    Arm("sync function, 1 client", "sync", 1, 1, 0.14, 0.3),
    Arm("sync function, 20 clients", "sync", 20, 1, 0.16, 0.5),
    Arm("rgsync, 1 client", "rgsync", 1, 1, 0.22, 0.4),
    Arm("rgsync, 20 clients", "rgsync", 20, 1, 0.25, 0.6),
    Arm("rgsync, 50 clients", "rgsync", 50, 1, 0.29, 0.6),
    Arm("rgsync, pipelines of 50", "rgsync", 1, 50, 0.42, 0.6),
    Arm("batch run: count", "count", 1, 1, 0.56, 1),
    Arm("batch run: map, filter, countby", "map, filter, countby", 1, 1, 0.82, 1),
)


class Version:
    """One minigears, with a Redis of its own."""

    def __init__(self, folder: Path, sources: Path, mongo_url: str):
        for part in ("redis", "gears"):
            (folder / part).mkdir(parents=True)
        self._mongo_url = mongo_url
        self._redis = RedisServer(folder / "redis", "--save", "")
        self._gears = MiniGears(self._redis, folder / "gears", "--log-level", "error")
        self._gears.environment = os.environ | {"PYTHONPATH": str(sources)}
        self.spent: list[float] = []
        """Processor time of each round of all its servers; in seconds an operation."""

    @contextmanager
    def running(self) -> Iterator[Version]:
        """Both servers."""
        self._redis.start()
        try:
            self._gears.start()
            yield self
        finally:
            self._gears.stop()
            self._redis.stop()

    def prepare(self, kind: str) -> None:
        """Leave what an arm needs, and nothing else."""
        self._gears.empty()
        with self._gears.client() as client:
            if kind == "sync":
                client.execute_command("RG.PYEXECUTE", SYNC.replace("MovieEntity", "plain"))
            elif kind == "rgsync":
                client.execute_command("RG.CONFIGSET", "mongoUrl", self._mongo_url)
                client.execute_command("RG.PYEXECUTE", RECIPE, *REQUIREMENTS)
        if kind in BATCHES:
            fill(self._gears.port)

    def measure(self, arm: Arm, count: int) -> Callable[[], float]:
        """A round; operations, or keys, a second."""
        many = count // 3 if arm.clients == arm.depth == 1 else count

        def batch() -> float:
            started = time.perf_counter()
            self._gears.run(BATCHES[arm.kind])
            return BATCH_KEYS / (time.perf_counter() - started)

        def writes() -> float:
            if arm.kind == "sync":
                return plain_set(self._gears.port, many, arm.clients, arm.depth)
            return json_set(self._gears.port, "MovieEntity", many, arm.clients, arm.depth)

        def counted() -> float:
            before = self._processor_time()
            rate, operations = (batch(), BATCH_KEYS) if arm.kind in BATCHES else (writes(), many)
            self.spent.append((self._processor_time() - before) / operations)
            return rate

        self.spent = []
        return counted

    def _processor_time(self) -> float:
        assert self._gears.process is not None
        assert self._redis.process is not None
        door = psutil.Process(self._gears.process.pid)
        servers = [door, *door.children(), psutil.Process(self._redis.process.pid)]
        return sum(sum(server.cpu_times()[:2]) for server in servers)


def sources(revision: str, folder: Path) -> Path:
    """`src/minigears` of a revision. Raises ClickException when this is no clone, or has no such revision."""
    archive = subprocess.run(
        ["git", "archive", revision, "src/minigears"], cwd=ROOT, capture_output=True
    )
    if archive.returncode:
        raise click.ClickException(archive.stderr.decode().strip())
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "src"


def row(arm: Arm, rates: dict[str, list[float]], spent: dict[str, list[float]]) -> tuple[str, ...]:
    """What the table says of an arm, from the rounds of `then` and `now`."""
    factors = sorted(n / b for n, b in zip(rates["now"], rates["then"], strict=True))
    factor = median(factors)
    return (
        arm.name, f"{factor:.2f} ({factors[0]:.2f} to {factors[-1]:.2f})", f"{arm.then:.2f}",
        f"{arm.then * factor:.2f}", f"{arm.goal:g}", times(spent["now"], spent["then"], 2),
    )  # fmt: skip


COLUMNS = (
    "what",
    "times as quick as then",
    "of RedisGears, then",
    "of RedisGears, estimated",
    "goal",
    "processor time, of then",
)


@click.command()
@click.option("--revision", default=REVISION, show_default=True, help="What to compare with.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each figure.")
@click.option("--count", default=6_000, show_default=True, help="Writes of a round.")
@click.option("--only", default="", help="Only arms whose name contains this.")
@click.option("--write", "keep", is_flag=True, help="Renew the table of docs/minigears.md.")
def main(revision: str, rounds: int, count: int, only: str, keep: bool) -> None:
    """Measure an earlier minigears and today's, in turns."""
    end_in_order()
    rows = []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["LAB_HOME"] = str(home / "lab")
        import lab

        mongo_url = lab.up().mongo_url
        stack.callback(lab.down)
        versions = {
            name: stack.enter_context(Version(home / name, code, mongo_url).running())
            for name, code in {"then": sources(revision, home), "now": ROOT / "src"}.items()
        }
        for arm in ARMS:
            if only not in arm.name:
                continue
            for version in versions.values():
                version.prepare(arm.kind)
            rates = take_turns({n: v.measure(arm, count) for n, v in versions.items()}, rounds)
            spent = {name: version.spent[1:] for name, version in versions.items()}
            rows.append(row(arm, rates, spent))
            console.print("  ".join(rows[-1]), highlight=False)
    tables.show(COLUMNS, rows)
    if keep:
        how = f"medians of {rounds} rounds, `{revision}` and today's in turns"
        tables.renew("minigears", "since", tables.figures(how, COLUMNS, rows))


if __name__ == "__main__":
    main()

"""What one master, one worker and one database do here, and what a million writes a second need.

    python -m benchmarks.recipes.scale [--writes 5000] [--goal 1000000] [--write]

Each figure is a count divided by the processor seconds that the part used, so that a busy machine does
not spoil it: it says what a part could do with one core of its own. `--write` puts the plan into
docs/scale.md. Needs no running stack.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil

import lab
from benchmarks import tables
from benchmarks.generator import encode
from lab.stack.ondemand.cluster import Cluster
from recipes.streams import Partitions, WriteBehind
from recipes.streams.client.parcels import Lanes, packed
from tests.ending import end_in_order
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer

PARTITIONS = Partitions(12)
OUTAGE = 3600  # seconds without a database that the masters' memory has to hold
MEMORY = 64 * 2**30  # bytes of a master that the queue may take


def cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


def per_second(writes: int, seconds: float) -> float:
    """Writes a core second. Raises ClickException where the kernel has counted next to nothing."""
    if seconds < 0.03:  # it counts in hundredths
        raise click.ClickException(
            f"{writes:,} writes are too few to be measured: --writes {10 * writes}"
        )
    return writes / seconds


def measure(made: Cluster, mongo: MongoServer, writes: int) -> dict[str, float]:
    """Fill the queue, then drain it with one worker; returns writes per core second of each part."""
    redis, (master,) = made.connect(), made.masters
    wb = WriteBehind(redis, PARTITIONS)
    wb.prepare()
    assert master.process
    assert mongo.process
    document = json.dumps({"title": "Schindler's List", "plot": "x" * 800})
    keys = [PARTITIONS.key("Movie", str(number)) for number in range(writes)]
    calls = [wb.call("JSON.SET", key, "$", document) for key in keys]
    before = cpu(master.process.pid)
    wb.run(calls)
    figures = {"master": per_second(writes, cpu(master.process.pid) - before)}
    figures["wire"] = (
        sum(len(encode(parcel.words(wb.limits))) for parcel in packed(calls, Lanes())) / writes
    )
    held = sum(redis.memory_usage(partition.stream, samples=0) for partition in PARTITIONS.all())
    figures["entry"] = held / writes
    words = [sys.executable, "-m", "recipes.streams", "worker", "--redis", made.url]
    words += ["--partitions", str(PARTITIONS.count), "--route", "Movie:=movies"]
    before = cpu(mongo.process.pid)
    worker = subprocess.Popen(
        [*words, "--database", f"{mongo.url}/scale"], stderr=subprocess.DEVNULL
    )
    try:
        while any(redis.xlen(partition.stream) for partition in PARTITIONS.all()):
            assert worker.poll() is None
            time.sleep(0.05)
        figures["worker"] = per_second(
            writes, cpu(worker.pid)
        )  # its start is in it: the figure is modest
        figures["database"] = per_second(writes, cpu(mongo.process.pid) - before)
    finally:
        worker.terminate()
        worker.wait(30)
    return figures


def plan(seen: dict[str, float], goal: int) -> list[tuple[str, str, str]]:
    """Rows of the plan: the part, how it is derived, how many."""
    masters, size, wire = math.ceil(goal / seen["master"]), seen["entry"], seen["wire"]
    workers, shards = math.ceil(goal / seen["worker"]), math.ceil(goal / seen["database"])
    backlog = goal * OUTAGE * size
    holding = math.ceil(backlog / MEMORY)
    return [
        ("masters that answer", f"goal / {seen['master']:,.0f} a core second", f"{masters:,}"),
        ("workers", f"goal / {seen['worker']:,.0f} a core second", f"{workers:,}"),
        ("partitions", "one worker each at least, times 2 to be even", f"{2 * workers:,}"),
        ("cores of database shards", f"goal / {seen['database']:,.0f}", f"{shards:,}"),
        ("network into Redis, one copy", f"goal × {wire:,.0f} bytes", f"{goal * wire / 1e9:,.1f} GB/s"),
        ("memory, an hour's outage", f"goal × 3,600 s × {size:,.0f} bytes", f"{backlog / 1e12:,.1f} TB"),
        ("masters that hold it", "memory / 64 GiB", f"{holding:,}"),
    ]  # fmt: skip


@click.command()
@click.option("--writes", default=5000, show_default=True, help="Writes to measure with.")
@click.option("--goal", default=1_000_000, show_default=True, help="Writes a second to plan for.")
@click.option("--write", "keep", is_flag=True, help="Put the plan into docs/scale.md.")
def main(writes: int, goal: int, keep: bool) -> None:
    """Measure one of each part, and derive how many a goal needs."""
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        mongo = MongoServer(Path(folder), free_ports(1)[0])
        mongo.start()
        made = lab.cluster(1)
        try:
            seen = measure(made, mongo, writes)
        finally:
            made.stop()
            mongo.stop()
    rows = ["| part | derived | needed |", "|---|---|---|"]
    rows += [f"| {part} | {how} | {many} |" for part, how, many in plan(seen, goal)]
    lines = [f"For {goal:,} writes a second:", "", *rows]
    print("\n".join(lines))
    if keep:
        tables.renew("scale", "scale", lines)


if __name__ == "__main__":
    main()

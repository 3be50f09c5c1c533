"""A Redis Cluster under load: writers that keep what was acknowledged, workers as processes, a judge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.stack.ondemand.cluster import Cluster
from recipes.streams import Limits, Partitions, Sink, WriteBehind
from tests.plugins.sandbox import REPOSITORY
from tests.recipes.servers import wait_for

PARTITIONS = Partitions(64)
KEYS = [PARTITIONS.key("Movie", str(number)) for number in range(120)]


@contextmanager
def worker(cluster: Cluster, database: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of 64 partitions, as a process; killed at the end if it runs."""
    words = [sys.executable, "-m", "recipes.streams", "worker", "--redis", cluster.url]
    words += ["--partitions", str(PARTITIONS.count), "--database", database]
    words += ["--route", "Movie:=movies", "--lease", "5", "--batch-wait", "0.02"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WRITEBEHIND_")}
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, cwd=REPOSITORY, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)


class Writers:
    """Each writes growing numbers into keys of its own, and notes what Redis acknowledged.

    With `replicas`, a write counts as acknowledged once so many replicas have it (`WAIT`).
    """

    def __init__(self, cluster: Cluster, count: int = 2, replicas: int = 0) -> None:
        self._cluster, self._replicas = cluster, replicas
        self.acknowledged: dict[str, int] = {}
        self.tried: dict[str, int] = {}
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(KEYS[n::count],), daemon=True)
            for n in range(count)
        ]

    @property
    def writes(self) -> int:
        """How many have been acknowledged."""
        return sum(self.acknowledged.values())

    def more(self, count: int) -> None:
        """Wait until so many more writes have been acknowledged."""
        goal = self.writes + count
        wait_for(lambda: self.writes >= goal, 60, lambda: f"{goal} writes: {self.errors[-3:]}")

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _write(self, keys: list[str]) -> None:
        redis = self._cluster.connect()  # of this thread alone: WAIT asks about its connection
        wb = WriteBehind(redis, PARTITIONS, Limits(wait=60))
        number = 0
        while not self._stop.is_set():
            number += 1
            for key in keys:
                self.tried[key] = number
                try:
                    wb.set(key, {"n": number})
                    if self._replicas and not self._copied(redis, key):
                        continue
                except Exception as error:  # unknown: it may be in, or not
                    self.errors.append(repr(error))
                else:
                    self.acknowledged[key] = number
                if self._stop.is_set():
                    return

    def _copied(self, redis: object, key: str) -> bool:
        node = redis.get_node_from_key(key)  # type: ignore[attr-defined]
        answer = redis.execute_command("WAIT", self._replicas, 200, target_nodes=node)  # type: ignore[attr-defined]
        return bool(answer >= self._replicas)


class Watch:
    """Reads the database all the while; notes every number that went backwards."""

    def __init__(self, numbers: Callable[[], dict[str, int]]) -> None:
        self._numbers, self._stop = numbers, threading.Event()
        self.seen: dict[str, int] = {}
        self.backwards: list[str] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            for key, number in self._numbers().items():
                if number < self.seen.get(key, 0):
                    self.backwards.append(f"{key}: {self.seen[key]}, then {number}")
                self.seen[key] = number

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)


def numbers(sink: Sink) -> dict[str, int]:
    """What the database holds."""
    return {one.key: one.document["n"] for one in sink.scan() if one.document}


def judge(cluster: Cluster, writers: Writers, watch: Watch, sink: Sink) -> None:
    """Once nothing waits: nothing acknowledged is missing, both stores are equal, no way back."""
    redis = cluster.connect()
    wait_for(
        lambda: not any(redis.xlen(p.stream) for p in PARTITIONS.all()), 90, "the queue to drain"
    )
    kept, wb = numbers(sink), WriteBehind(redis, PARTITIONS)
    lost = {k: (n, kept.get(k)) for k, n in writers.acknowledged.items() if kept.get(k, 0) < n}
    assert not lost, f"acknowledged and not in the database: {lost}"
    invented = {k: n for k, n in kept.items() if n > writers.tried[k]}
    assert not invented
    assert kept == {key: (wb.get(key) or {"n": None})["n"] for key in kept}
    assert not watch.backwards


@contextmanager
def workers(
    count: int, cluster: Cluster, database: str, log: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers."""
    with ExitStack() as stack:
        yield [stack.enter_context(worker(cluster, database, log)) for _ in range(count)]

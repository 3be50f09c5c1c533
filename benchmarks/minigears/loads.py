"""What the benchmark of minigears loads it with, and look-ups that it times."""

from __future__ import annotations

import json
import re
import subprocess
import time

import redis

from benchmarks.turns import Measure
from minigears.interest import Interest
from recipes.streams import Partitions


def redis_benchmark(port: int, *options: str, requests: int) -> Measure:
    """SET on keys that no registration is about, 20 clients."""
    command = ["redis-benchmark", "-p", str(port), "-n", str(requests), "-c", "20", *options]

    def run() -> float:
        done = subprocess.run(
            [*command, "-t", "set", "--csv"], capture_output=True, encoding="utf-8", check=True
        )
        return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))

    return run


def json_set(port: int, prefix: str, count: int, depth: int) -> Measure:
    """JSON.SET from one redis-py client, `depth` commands in a pipeline."""

    def run() -> float:
        client = redis.Redis(port=port, socket_timeout=None)
        started = time.perf_counter()
        for start in range(0, count, depth):
            pipe = client.pipeline(transaction=False)
            for i in range(start, start + depth):
                number = i % 500
                document = json.dumps({"movieId": str(number), "title": f"Film {i}"})
                pipe.execute_command("JSON.SET", f"{prefix}:{number}", "$", document)
            pipe.execute() if depth > 1 else client.execute_command(*pipe.command_stack[0][0])
        taken = time.perf_counter() - started
        client.close()
        return count / taken

    return run


def json_sets(port: int, prefix: str, back: int) -> Measure:
    """JSON.SET of 1 KB from 20 clients over 500 keys; what the round queued is dropped before."""
    document = json.dumps({"title": "x" * 1000})
    words = ["JSON.SET", f"{prefix}:__rand_int__", "$", document]
    command = ["redis-benchmark", "-p", str(port), "-n", "20000", "-c", "20", "-r", "500", "--csv"]

    def run() -> float:
        with redis.Redis(port=back) as client:
            for partition in Partitions().all():
                client.xtrim(partition.stream, 0, approximate=False)
        done = subprocess.run([*command, *words], capture_output=True, encoding="utf-8", check=True)
        if "WBFULL" in done.stderr or "rror" in done.stderr:
            raise RuntimeError(done.stderr)
        return float(re.findall('","?([0-9.]+)', done.stdout)[-7])

    return run


def look_ups(registrations: int) -> float:
    """How often a second the door tells which of so many registrations an event is for."""
    watch = {"events": None, "commands": None, "mode": "sync"}
    keys = [{"id": f"0-{n}", "prefix": f"kind{n}:*", **watch} for n in range(registrations)]
    interest = Interest.from_frame({"keys": keys, "streams": [], "hooks": []})
    key, times = b"kind%d:1" % (registrations - 1), 100_000
    interest.watchers(key, "set")
    started = time.perf_counter()
    for _ in range(times):
        interest.watchers(key, "set")
    return times / (time.perf_counter() - started)

"""recipes/kafka: what is in the topic is in the database, through kills, outages, poison and a new topic."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.minigears.realredis import wait_for
from tests.recipes.kafka.broker import Broker
from tests.recipes.servers import MongoServer


def worker(broker: Broker, mongo: MongoServer, topic: str, *more: str) -> list[str]:
    words = [sys.executable, "-m", "recipes.kafka", "worker", "--servers", broker.servers]
    words += ["--topic", topic, "--partitions", "2", "--group", topic, "--lease", "2"]
    words += ["--database", f"{mongo.url}/{topic}?directConnection=true"]
    return [*words, "--route", "Movie:=movies", "--batch-wait", "0.02", *more]


@contextmanager
def running(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def write(broker: Broker, topic: str, changes: list[tuple[str, dict[str, Any] | None]]) -> None:
    from recipes.kafka import Topic, Writer

    writer = Writer(broker.servers, Topic(topic, 2))
    writer.write(changes)
    writer.close()


def stored(mongo: MongoServer, topic: str) -> dict[str, Any]:
    with mongo.client() as client:
        found = client[topic].movies.find({"_deleted": None})
        return {one["_id"]: {k: v for k, v in one.items() if k[0] != "_"} for one in found}


def test_a_worker_that_is_killed_loses_nothing(
    broker: Broker, mongo: MongoServer, topic: str, log: Path
) -> None:
    words = worker(broker, mongo, topic, "--batch-entries", "20")
    write(broker, topic, [(f"Movie:{n % 40}", {"n": n}) for n in range(200)])
    with running(words, log) as first:
        wait_for(lambda: stored(mongo, topic), what="the first batch")
        first.send_signal(signal.SIGKILL)
        first.wait()
    write(broker, topic, [("Movie:0", None), ("Movie:1", {"n": 1000, "title": "O'Brien"})])
    expected = {f"Movie:{n % 40}": {"n": n} for n in range(200)}
    expected["Movie:1"] = {"n": 1000, "title": "O'Brien"}
    del expected["Movie:0"]
    with running(words, log) as second:
        wait_for(lambda: stored(mongo, topic) == expected, 60, log.read_text)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    assert broker.records(f"{topic}.dead") == []

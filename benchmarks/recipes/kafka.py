"""The same sink behind a Redis stream and behind a Kafka topic, in one run: how long a backlog takes to drain.

    make kafka
    python -m benchmarks.recipes.kafka --rounds 5

What waits is written first, then one worker starts, in this process: so no start of a process is measured.
"""

from __future__ import annotations

import io
import json
import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from recipes.kafka import Topic, Writer
from recipes.kafka import Worker as KafkaWorker
from recipes.streams import Metrics, Partitions, Settings, Worker, WriteBehind, open_sink
from tests.ending import end_in_order
from tests.freeports import free_ports
from tests.recipes.kafka.broker import Broker
from tests.recipes.servers import MongoServer, PlainRedis

PARTITIONS = 2
_SETTINGS: dict[str, Any] = {"batch_wait": 0.02, "writers": 1, "lease": 6.0}


def drained(worker: Any, count: Callable[[], int], documents: int) -> tuple[float, float]:
    """Seconds, and seconds of this process's processor, from the first document to the last."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    while not count():
        time.sleep(0.001)
    began, used = time.monotonic(), time.process_time()
    while count() < documents:
        time.sleep(0.02)
    took = time.monotonic() - began, time.process_time() - used
    worker.stop()
    thread.join()
    return took


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--documents", default=4000, show_default=True)
def main(rounds: int, documents: int) -> None:
    """Print the ratio of each round, and their median."""
    end_in_order()
    logging.disable(logging.CRITICAL)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis, mongo = PlainRedis(folder), MongoServer(folder, free_ports(1)[0])
        broker = Broker(folder, free_ports(1)[0])
        for server in (redis, mongo, broker):
            server.start()
            stack.callback(server.stop)
        client = stack.enter_context(mongo.client())
        ratios = []
        for number in range(rounds):
            took = {}
            for way in sorted(("streams", "kafka"), reverse=bool(number % 2)):
                name = f"{way}{number}"
                writes = [(f"Movie:{n}", {"n": n, "title": "Metropolis"}) for n in range(documents)]
                sink = open_sink(f"{mongo.url}/{name}?directConnection=true", {"Movie:": "movies"})
                make = on_streams if way == "streams" else on_kafka
                worker = make(redis, broker, name, writes, sink)
                took[way] = drained(worker, client[name].movies.estimated_document_count, documents)
            ratios.append([took["streams"][i] / took["kafka"][i] for i in (0, 1)])
            print(f"round {number}: {took}", flush=True)
    for what, found in zip(
        ("rate", "documents a second of processor"), zip(*ratios, strict=True), strict=True
    ):
        print(
            f"{what}, topic over stream: {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
        )


def on_streams(redis: PlainRedis, _: Broker, name: str, writes: Any, sink: Any) -> Worker:
    """Fill a stream; return the worker that will drain it."""
    partitions = Partitions(PARTITIONS, name)
    writer = WriteBehind(redis.client(), partitions)
    for outcome in writer.run([writer.call("SET", key, json.dumps(d)) for key, d in writes]):
        assert not isinstance(outcome, Exception), outcome
    settings = Settings(partitions, **_SETTINGS)
    return Worker(redis.client(), sink, settings, Metrics(io.StringIO()))


def on_kafka(_: PlainRedis, broker: Broker, name: str, writes: Any, sink: Any) -> KafkaWorker:
    """Fill a topic; return the worker that will drain it."""
    topic = Topic(name, PARTITIONS)
    broker.make(name, PARTITIONS)
    writer = Writer(broker.servers, topic)
    writer.write(writes)
    writer.close()
    metrics = Metrics(io.StringIO())
    return KafkaWorker(broker.servers, topic, sink, Settings(**_SETTINGS), metrics, group=name)


if __name__ == "__main__":
    main()

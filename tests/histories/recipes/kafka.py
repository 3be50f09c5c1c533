"""recipes/kafka on MongoDB, with two workers. The brokers have their records in memory, so none is killed."""

from __future__ import annotations

import itertools
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab.errors import Unsupported
from lab.stack.ondemand import kafka
from recipes.streams.core.errors import Refused as NothingDone
from tests.freeports import free_ports
from tests.histories.recipes.interface import Servers
from tests.histories.recipes.stores import TABLE, Mongo
from tests.histories.verdict.history import DeadLetter, Document, Kind, Sample
from tests.histories.world.clients import Do, Refused
from tests.histories.world.operations import Request
from tests.histories.world.parts import Program, World
from tests.histories.world.proxy import Proxy
from tests.histories.world.witness import Witness
from tests.minigears.realredis import wait_for
from tests.recipes.kafka.broker import Broker, Server
from tests.recipes.kafka.mockbroker import MockBroker

_TOPIC, _GROUP, _PARTITIONS = "judged", "write-behind", 2
_WRITERS = 4
"""Producers, which are kept for the next run: each has threads and connections of its own."""


class Kafka(Servers):
    """See `Recipe`. Whole documents and deletes are all that a topic takes; what the judge compares the
    database with is the topic itself, read from its beginning."""

    space = "k"
    kinds = frozenset({Kind.SET, Kind.DELETE})
    window = 0.0
    _broker: Server

    def __init__(self, name: str, lease: float):
        self.name, self._lease = name, lease

    def open(self, folder: Path) -> None:
        """Start everything. A server of Kafka's tells one address to all, so all share one line."""
        self._stack = ExitStack()
        if not kafka.is_installed():
            raise Unsupported(kafka.MISSING)
        to_kafka = self._serve(folder)
        self._store = Mongo(folder)
        self._start(self._store.part)
        database = self._stack.enter_context(Proxy(self._store.target))
        self._log = Log(self._broker.servers)
        self._stack.callback(self._log.close)
        self._acknowledged: list[int] = []  # offsets
        self._writers = itertools.cycle([self._writer() for _ in range(_WRITERS)])
        words = [sys.executable, "-m", "recipes.kafka", "worker", "--servers", self._broker.servers]
        words += ["--topic", _TOPIC, "--partitions", str(_PARTITIONS), "--group", _GROUP]
        words += ["--database", self._store.url(database.port)]
        words += ["--route", f"k={TABLE}", "--lease", str(self._lease)]
        words += ["--batch-wait", "0.02", "--batch-entries", "20"]
        workers = [Program([*words, *self._own(n)], folder / f"worker-{n}.log") for n in (1, 2)]
        for worker in workers:
            self._start(worker)
        # Both work before the first fault: it is not their start that is judged.
        self._acknowledged += next(self._writers).write([(self.space, {})])
        wait_for(lambda: self._log.committed() > 0, 60, "the first record to be committed")
        parts = {f"worker {n}": worker for n, worker in enumerate(workers, 1)}
        lines = {"all to kafka": to_kafka, "workers to database": database}
        self.world = World({"database": self._store.part} | parts, lines)

    def _serve(self, folder: Path) -> Proxy:
        """Start the broker with its topics, and return the line to it."""
        [port] = free_ports(1)
        line = self._stack.enter_context(Proxy(port))
        broker = self._broker = Broker(folder, port, line.port)
        self._start(broker)
        broker.make(_TOPIC, _PARTITIONS)
        return line

    def _own(self, number: int) -> list[str]:
        """What one worker is told alone: its share. When members come and go, Tansu's group may stand still."""
        return ["--share", f"{number}/2"]

    def connect(self) -> Do:
        """Return a client that gives up after some seconds, as an application would."""
        writer = next(self._writers)

        def do(request: Request) -> None:
            try:
                # A DELETE has no value.
                self._acknowledged += writer.write([(request.key, request.value)])
            except NothingDone as error:
                raise Refused(str(error)) from error

        return do

    def _writer(self) -> Any:
        from recipes.kafka import Topic, Writer

        writer = Writer(self._broker.servers, Topic(_TOPIC, _PARTITIONS), wait=3)
        self._stack.callback(writer.close)
        return writer

    def witness(self, prefix: str) -> Witness:
        """See `Recipe`."""
        return self._store.witness(prefix)

    def documents(self, prefix: str) -> dict[str, Document]:
        """See `Recipe`: what the topic comes to."""
        self._log.read(len(self._acknowledged))
        last = {k: v for k, v in self._log.last.items() if k.startswith(prefix) and v is not None}
        return {key: json.loads(value) for key, value in last.items()}

    def dead_letters(self, prefix: str) -> list[DeadLetter]:
        """See `Recipe`."""
        letters = [(r.key().decode(), r.value()) for r in self._broker.records(f"{_TOPIC}.dead")]
        return [
            DeadLetter(key, json.loads(value or b"{}").get("a"))
            for key, value in letters
            if key.startswith(prefix)
        ]

    def sample(self) -> Sample:
        """See `Recipe`: what the group has not committed."""
        self._log.read(len(self._acknowledged))
        waiting = self._log.waiting()
        oldest = max(0.0, time.time() - min(waiting)) if waiting else 0.0
        return Sample(time.monotonic(), len(waiting), oldest)


class InGroup(Kafka):
    """See `Recipe`. The workers are members of a group, which shares the partitions among those that live."""

    def _serve(self, folder: Path) -> Proxy:
        broker = self._broker = MockBroker(folder, **{_TOPIC: _PARTITIONS})
        self._start(broker)
        line = self._stack.enter_context(Proxy(broker.port))
        broker.tell(line.port)
        return line

    def _own(self, number: int) -> list[str]:
        return []


def with_shares() -> Kafka:
    """Return the recipe on Tansu."""
    return Kafka("kafka", lease=2)


def in_group() -> InGroup:
    """Return the recipe on the mock cluster of librdkafka, with sessions shorter than some faults."""
    return InGroup("kafka-group", lease=1)


class Log:
    """The topic as it is read by somebody outside the group."""

    def __init__(self, servers: str):
        from confluent_kafka import Consumer, TopicPartition

        self._consumer: Any = Consumer({
            "bootstrap.servers": servers,
            "group.id": _GROUP,
            "enable.auto.commit": False,  # what it has read, the group has not written
            "log_level": 2,
        })  # fmt: skip
        self._places = [TopicPartition(_TOPIC, number, 0) for number in range(_PARTITIONS)]
        self._consumer.assign(self._places)
        self.last: dict[str, bytes | None] = {}
        self._at: list[dict[int, float]] = [{} for _ in self._places]
        self._count = 0

    def read(self, acknowledged: int) -> None:
        """Read what is there, until as many records are read as were acknowledged, at least.

        Not until the topic's end: of that Tansu tells too little where a batch held several records.
        """
        deadline = time.monotonic() + 30
        while (more := self._consumer.consume(1000, 0.1)) or self._count < acknowledged:
            assert time.monotonic() < deadline, (
                f"{acknowledged} acknowledged, {self._count} in the topic"
            )
            for record in more:
                if not record.error():
                    self._count += 1
                    self.last[record.key().decode()] = record.value()
                    self._at[record.partition()][record.offset()] = record.timestamp()[1] / 1000

    def committed(self) -> int:
        """How many records the group has settled."""
        done = self._consumer.committed(self._places, 10)
        return sum(max(0, place.offset) for place in done)

    def waiting(self) -> list[float]:
        """When each record was written that the group has not committed yet, in seconds since 1970."""
        done = self._consumer.committed(self._places, 10)
        for place in done:
            at = self._at[place.partition]
            for offset in [offset for offset in at if offset < place.offset]:
                del at[offset]
        return [when for at in self._at for when in at.values()]

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

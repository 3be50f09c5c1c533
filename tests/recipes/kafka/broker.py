"""Servers that speak Kafka's protocol, for tests: Tansu here. All have their records in memory."""

from __future__ import annotations

import signal
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

from lab.stack.ondemand import kafka
from tests.minigears.realredis import wait_for
from tests.programs import left_out


def needs_kafka() -> None:
    """Leave a test out where client and broker are not installed."""
    if not kafka.is_installed():
        left_out(kafka.MISSING)


class Server:
    """What speaks Kafka's protocol, as a process. `told` is the port that it tells clients."""

    process: subprocess.Popen[Any] | None
    told: int

    @property
    def servers(self) -> str:
        """What clients take."""
        return f"127.0.0.1:{self.told}"

    def records(self, topic: str) -> list[Any]:
        """All records of a topic, as far as they have come half a second later."""
        from confluent_kafka import Consumer, TopicPartition

        reader = Consumer({"bootstrap.servers": self.servers, "group.id": "tests"})
        try:
            count = len(reader.list_topics(topic, 10).topics[topic].partitions)
            reader.assign([TopicPartition(topic, number, 0) for number in range(count)])
            found: list[Any] = []
            while more := reader.consume(1000, 0.5):
                found += [record for record in more if not record.error()]
            return found
        finally:
            reader.close()

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, with its records."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


class Broker(Server):
    """Tansu. `told` may be the port of a proxy before it, say."""

    def __init__(self, folder: Path, port: int, told: int | None = None):
        self._folder, self.port, self.told = folder, port, told or port
        self.process = None

    def start(self) -> None:
        words = kafka.words(self.port, self.told)
        with (self._folder / "kafka.log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, cwd=self._folder)
        wait_for(self._answers, what="Tansu")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self._folder / "kafka.log").read_text()
        return kafka.answers(self.servers)

    def admin(self) -> Any:
        """An admin client."""
        from confluent_kafka.admin import AdminClient

        return AdminClient({"bootstrap.servers": self.servers})

    def make(self, topic: str, partitions: int = 2) -> None:
        """Make a topic, and the one of its dead letters."""
        from confluent_kafka.admin import NewTopic

        topics = [NewTopic(topic, partitions, 1), NewTopic(f"{topic}.dead", 1, 1)]
        admin = self.admin()
        for made in admin.create_topics(topics).values():
            made.result(20)

    def remove(self, topic: str) -> None:
        """Delete a topic."""
        admin = self.admin()
        for gone in admin.delete_topics([topic]).values():
            gone.result(20)


def by_key(records: list[Any]) -> dict[str, Any]:
    """What the records come to: the last value of each key, in the order of their offsets."""
    found: dict[str, Any] = defaultdict(lambda: None)
    for record in sorted(records, key=lambda r: (r.partition(), r.offset())):
        found[record.key().decode()] = record.value()
    return {key: value for key, value in found.items() if value is not None}

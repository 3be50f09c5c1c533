"""What applications write with: whole documents, into the topic."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from recipes.streams.core.documents import MOST_BYTES, check_key, encode
from recipes.streams.core.errors import Misconfigured, QueueFull, Refused, Unavailable

from .records import Topic

_GONE = (
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN_PRODUCER_ID,
)
"""What is said of a producer whose numbering Kafka has lost, or no longer trusts."""


class Writer:
    """Each call returns once every replica in sync has the record (`acks=all`), and a retry adds none.

    There is no document but the one in the topic and, later, in the database. Threads may share it.
    """

    def __init__(self, servers: str, topic: Topic, wait: float = 10.0) -> None:
        self._topic, self._wait = topic, wait
        self._make = functools.partial(producer, servers, wait)
        self._producer = self._make()
        self._broken: Producer | None = None
        self._lock = threading.Lock()
        self._agreed = False
        self._closed = threading.Event()
        self._ears = threading.Thread(target=self._listen, name="kafka writer", daemon=True)
        self._ears.start()

    def set(self, key: str, document: Any) -> int:
        """Write a document; returns its offset. Errors as of `write`."""
        return self.write([(key, document)])[0]

    def delete(self, key: str) -> int:
        """Delete a document; returns the offset. Errors as of `write`."""
        return self.write([(key, None)])[0]

    def write(self, changes: Iterable[tuple[str, Any]]) -> list[int]:
        """Write documents, None being a delete; returns their offsets.

        Raises Refused or QueueFull for the first that certainly was not written, Unavailable for the
        first of which nobody knows: it may be in the topic. Others of the call may be.
        """
        records = []
        for key, document in changes:
            check_key(key)
            records.append((key.encode(), None if document is None else encode(document).encode()))
        self._agree()
        sent = [self._send(key, value) for key, value in records]
        return [one.result() for one in sent]

    def close(self) -> None:
        """Wait for what is under way."""
        self._producer.flush(self._wait)
        self._closed.set()
        self._ears.join()

    def _agree(self) -> None:
        if self._agreed:
            return
        try:
            self._topic.check_partitions(count(self._producer, self._topic.name, self._wait))
        except Unavailable as error:
            raise Refused(str(error)) from error
        self._agreed = True

    def _send(self, key: bytes, value: bytes | None) -> Future[int]:
        future: Future[int] = Future()

        def answered(error: KafkaError | None, record: Any) -> None:
            if error is None:
                future.set_result(record.offset())
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                future.set_exception(Refused(f"{error}: raise max.message.bytes of the topic"))
            else:
                if error.fatal() or error.code() in _GONE:
                    self._broken = ours
                future.set_exception(Unavailable(f"Kafka: {error}; the record may be in the topic"))

        ours = self._working()
        try:
            ours.produce(self._topic.name, value, key, on_delivery=answered)
        except BufferError as error:
            raise QueueFull(f"too much waits to be sent to Kafka: {error}") from error
        except KafkaException as error:
            raise Refused(f"Kafka: {error}") from error
        return future

    def _working(self) -> Producer:
        """The producer, or another in the place of one that Kafka no longer takes anything from."""
        with self._lock:
            if self._broken is self._producer:
                self._producer = self._make()
            return self._producer

    def _listen(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)


def producer(servers: str, wait: float) -> Producer:
    """A producer whose records come once, in order, and are on every replica in sync."""
    return Producer({
        "bootstrap.servers": servers,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # as Java's clients have it: all have to agree
        "message.timeout.ms": int(wait * 1000),
        "message.max.bytes": MOST_BYTES + 64 * 1024,
        "linger.ms": 0,
        "log_level": 2,  # what fails is raised
    })  # fmt: skip


def count(client: Any, topic: str, seconds: float) -> int:
    """How many partitions a topic has. Raises Misconfigured where there is none, and Unavailable."""
    try:
        told = client.list_topics(topic, seconds).topics[topic]
    except KafkaException as error:
        raise Unavailable(f"Kafka: {error}") from error
    if not told.partitions:
        raise Misconfigured(
            f"there is no topic {topic}: make NAME and NAME.dead before the first write"
        )
    return len(told.partitions)

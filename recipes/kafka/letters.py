"""The topic of dead letters: what the database refuses, until somebody brings it in or drops it.

Nothing is ever taken out of a topic. So what has become of a letter is a record of its own behind it:
the same key, value and version, and a word in the header `settled`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from recipes.streams.core.errors import Forgotten, Unavailable
from recipes.streams.databases.sink import TOMBSTONE_SECONDS, Sink
from recipes.streams.worker.entries import Entry, change_of
from recipes.streams.worker.queue import DeadLetter

from .records import Topic
from .writer import count, producer

_SETTLED = "settled"


@dataclass(frozen=True)
class Letter:
    """A dead letter, and where it lies in the topic of dead letters."""

    partition: int
    offset: int
    letter: DeadLetter

    @property
    def name(self) -> str:
        """What a person calls it: `0/17`."""
        return f"{self.partition}/{self.offset}"


class DeadLetters:
    """Property 9. A letter's version tells which record it was: after a crash it may come twice."""

    def __init__(self, servers: str, topic: Topic, wait: float) -> None:
        """`wait` is how many seconds Kafka may take to answer."""
        self._servers, self._topic, self._wait = servers, topic, wait
        self._producer = producer(servers, wait)

    def bury(self, letter: DeadLetter) -> None:
        """Keep a letter. Raises Unavailable where Kafka does not say that it has it."""
        entry = letter.entry
        facts = {"error": letter.error[:2000], "attempts": letter.attempts}
        self._write(entry, facts)

    def waiting(self) -> list[Letter]:
        """All that nobody has settled yet, oldest first in each partition. Raises Unavailable."""
        found: dict[tuple[Any, ...], Letter] = {}
        for record in self._records():
            facts = {name: value.decode() for name, value in record.headers() or ()}
            known = (record.key(), record.value(), facts.get("version", ""))
            if _SETTLED in facts:
                found.pop(known, None)
            else:
                found.setdefault(known, _letter(record, facts))
        return sorted(found.values(), key=lambda one: (one.partition, one.offset))

    def replay(self, letter: Letter, sink: Sink, though_gone: bool = False) -> str:
        """Write a letter into the database, with its own version: a newer write of the key stays.

        Returns why the database refuses it again, else nothing: then it is settled. Not by way of the
        topic: there it would be the newest of its key to all other readers. Raises Unavailable, and
        Forgotten for a letter that is older than deletes are remembered and of whose key the database
        knows nothing: it may have been deleted since. `though_gone`: it was not, or it is wanted back.
        """
        entry = letter.letter.entry
        change = change_of(entry)
        if isinstance(change, str):
            return change
        # Buried before its key's next record was read: a tombstone is younger than the letter.
        age = time.time() - entry.milliseconds / 1000
        if age >= TOMBSTONE_SECONDS and not though_gone and sink.read(entry.key) is None:
            raise Forgotten(f"{entry.key} is not in the database, and may have been deleted since")
        for rejected in sink.write([change]):
            return rejected.error
        self.settle(letter, "replayed")
        return ""

    def settle(self, letter: Letter, how: str) -> None:
        """Have a letter listed no more. Raises Unavailable."""
        self._write(letter.letter.entry, {_SETTLED: how})

    def close(self) -> None:
        """Nothing is under way: whoever writes waits."""
        self._producer.flush(0)

    def _write(self, entry: Entry, facts: Mapping[str, object]) -> None:
        errors: list[KafkaError] = []
        told = {**facts, "version": entry.version}
        try:
            self._producer.produce(
                self._topic.dead, entry.text.encode(), entry.key.encode(),
                headers={name: str(fact).encode() for name, fact in told.items()},
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )  # fmt: skip
            left = self._producer.flush(self._wait)
        except (BufferError, KafkaException) as error:
            raise Unavailable(f"Kafka: {error}") from error
        if left or errors:
            raise Unavailable(f"Kafka takes no dead letter: {errors or 'it does not answer'}")

    def _records(self) -> list[Any]:
        """Every record that was in the topic of dead letters when this began."""
        consumer = Consumer({
            "bootstrap.servers": self._servers,
            "group.id": f"{self._topic.dead} readers",  # it has to have one, and commits nothing
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 2,  # what fails is raised
        })  # fmt: skip
        try:
            return _until_the_end(consumer, self._topic.dead, self._wait)
        except KafkaException as error:
            raise Unavailable(f"Kafka: {error}") from error
        finally:
            consumer.close()


def _until_the_end(consumer: Any, name: str, wait: float) -> list[Any]:
    places = [TopicPartition(name, number) for number in range(count(consumer, name, wait))]
    ends, starts = {}, []
    for place in places:
        low, high = consumer.get_watermark_offsets(place, wait)
        if high > low:
            ends[place.partition] = high
            starts.append(TopicPartition(name, place.partition, low))
    consumer.assign(starts)
    found: list[Any] = []
    deadline = time.monotonic() + wait
    while ends:
        for record in consumer.consume(500, 0.2):
            if record.error():
                raise KafkaException(record.error())
            found.append(record)
            deadline = time.monotonic() + wait
            if record.offset() + 1 >= ends.get(record.partition(), 0):
                ends.pop(record.partition(), None)
        if time.monotonic() > deadline:
            raise Unavailable(f"Kafka: {name} could not be read to its end within {wait:g} s")
    return found


def _letter(record: Any, facts: Mapping[str, str]) -> Letter:
    key, text = (record.key() or b"").decode(), (record.value() or b"").decode()
    at = f"{max(0, record.timestamp()[1])}-{record.offset()}"
    entry = Entry(at, key, text, facts.get("version", ""), len(key) + len(text))
    attempts = int(facts.get("attempts", 0))
    letter = DeadLetter(entry, facts.get("error", ""), attempts)
    return Letter(record.partition(), record.offset(), letter)

"""The topic of dead letters: what the database refuses, with all that is needed to replay it."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from recipes.streams.core.errors import Unavailable
from recipes.streams.worker.queue import DeadLetter

from .records import Topic
from .writer import producer


class DeadLetters:
    """Property 9. A letter's version tells which record it was: after a crash it may come twice."""

    def __init__(self, servers: str, topic: Topic, wait: float) -> None:
        self._topic, self._wait = topic, wait
        self._producer = producer(servers, wait)

    def bury(self, letter: DeadLetter) -> None:
        """Keep a letter. Raises Unavailable where Kafka does not say that it has it."""
        entry, errors = letter.entry, list[KafkaError]()
        facts = {
            "error": letter.error[:2000],
            "attempts": letter.attempts,
            "version": entry.version,
        }
        try:
            self._producer.produce(
                self._topic.dead, entry.text.encode(), entry.key.encode(),
                headers={name: str(fact).encode() for name, fact in facts.items()},
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )  # fmt: skip
            left = self._producer.flush(self._wait)
        except (BufferError, KafkaException) as error:
            raise Unavailable(f"Kafka: {error}") from error
        if left or errors:
            raise Unavailable(f"Kafka takes no dead letter: {errors or 'it does not answer'}")

    def close(self) -> None:
        """Nothing is under way: `bury` waits."""
        self._producer.flush(0)

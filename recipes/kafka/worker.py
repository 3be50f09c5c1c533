"""A worker: reads its share of a topic's partitions, writes batches into the database, commits offsets."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from recipes.streams.core.errors import Misconfigured, Unavailable, WriteBehindError
from recipes.streams.databases.sink import Change, Rejected, Sink
from recipes.streams.worker.entries import Batch, change_of
from recipes.streams.worker.metrics import Metrics
from recipes.streams.worker.partition import Backoff
from recipes.streams.worker.queue import DeadLetter
from recipes.streams.worker.settings import Settings

from .letters import DeadLetters
from .records import Topic
from .writer import count

_ANSWERS_WITHIN = 20.0
"""Seconds that Kafka may take where somebody waits for it."""

_PURGES_EVERY = 3600.0  # seconds

_ANOTHERS = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._STATE,
)
"""Why an offset is not taken from a worker that no longer has the partition."""


class Worker:
    """Works until `stop`. Kafka's group shares the partitions among the workers that live.

    In an outage of the database one batch is kept, and nothing more is read. Partitions change hands
    only between two batches. Of a worker that was given up and works on,
    Kafka takes no offset, and the database's fence nothing that is older than what it has.
    """

    def __init__(
        self,
        servers: str,
        topic: Topic,
        sink: Sink,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        group: str = "write-behind",
        share: tuple[int, int] | None = None,
    ) -> None:
        """`share` (1, 2) is the first half of the partitions: fixed, where else Kafka's group shares them.

        Nobody succeeds a worker with a share. Two that have the same do each other's work, and no harm.
        """
        self.topic, self.sink = topic, sink
        self.settings, self.metrics = settings or Settings(), metrics or Metrics()
        self.stopping = threading.Event()
        self._share = share
        self._began = False
        self._purge_at = 0.0
        self._wrong: Exception | None = None
        self._batch: list[Any] = []  # records that are read and not yet settled
        self._uncommitted: dict[int, int] = {}
        self._letters = DeadLetters(servers, topic, _ANSWERS_WITHIN)
        milliseconds = int(self.settings.lease * 1000)
        self._consumer = Consumer({
            "bootstrap.servers": servers,
            "group.id": group,
            "session.timeout.ms": milliseconds,
            "heartbeat.interval.ms": max(1, milliseconds // 5),
            "max.poll.interval.ms": 6 * milliseconds,  # one who hangs holds up the group for so long
            "enable.auto.commit": False,  # Property 2: by us, after the database
            "auto.offset.reset": "error",  # never by itself to where the fence drops what is new
        })  # fmt: skip

    def run(self) -> None:
        """Work until `stop()`. Raises Misconfigured for what waiting cannot mend."""
        backoff = Backoff(self.settings)
        try:
            while not self.stopping.is_set():
                try:
                    if not self._began:
                        self._begin()
                    self._turn()
                except (Unavailable, KafkaException) as error:
                    self._pause(error, backoff)
                else:
                    self.metrics.trouble(self.topic.name, "")
                    backoff.reset()
        finally:
            self._letters.close()
            self._consumer.close()
            self.metrics.say("stopped", topic=self.topic.name)

    def stop(self) -> None:
        """Let `run` settle the batch it has begun, give its partitions back, and return."""
        self.stopping.set()

    def trouble(self) -> str:
        """Why this worker cannot do its work now, or nothing."""
        return "; ".join(sorted(set(self.metrics.troubles.values())))

    def _begin(self) -> None:
        self.sink.open()
        self.topic.check_partitions(count(self._consumer, self.topic.name, _ANSWERS_WITHIN))
        if self._share:
            self._assigned(self._consumer, self._mine(*self._share))
            self._raise_wrong()
        else:
            self._consumer.subscribe(
                [self.topic.name], on_assign=self._assigned, on_revoke=self._revoked
            )
        self._began = True
        self.metrics.say("started", topic=self.topic.name)

    def _mine(self, number: int, of: int) -> list[TopicPartition]:
        numbers = range(number - 1, self.topic.partitions, of)
        if not numbers:
            raise Misconfigured(f"{self.topic.partitions} partitions have no share {number}/{of}")
        return [TopicPartition(self.topic.name, one) for one in numbers]

    def _assigned(self, consumer: Any, given: list[TopicPartition]) -> None:
        """Go on from what is committed, if offsets still lead on from what the database has."""
        self._forget()
        try:
            done = consumer.committed(given, _ANSWERS_WITHIN)
            if all(tp.offset < 0 for tp in done) and (greatest := self.sink.greatest_version()):
                self.topic.check_end(self._end(), greatest)
        except (
            KafkaException,
            WriteBehindError,
        ) as error:  # `run` raises it: this is called from C
            self._wrong = error
            consumer.assign([])
            return
        for tp in done:
            tp.offset = tp.offset if tp.offset >= 0 else OFFSET_BEGINNING
        consumer.assign(done)
        self.metrics.say("has", partitions=[tp.partition for tp in done])

    def _revoked(self, _: Any, taken: list[TopicPartition]) -> None:
        self._forget()
        self.metrics.say("gives back", partitions=[tp.partition for tp in taken])

    def _forget(self) -> None:
        """What is not committed is read again by whoever has it now."""
        self._batch.clear()
        self._uncommitted.clear()

    def _end(self) -> int:
        """The greatest offset that a next record may get."""
        every = [TopicPartition(self.topic.name, n) for n in range(self.topic.partitions)]
        ask = self._consumer.get_watermark_offsets
        return max(int(ask(tp, _ANSWERS_WITHIN)[1]) for tp in every)

    def _turn(self) -> None:
        """Read a batch: as many as are there, or as come within the wait. Write it, and commit."""
        got: list[Any] = self._consumer.consume(
            self.settings.batch_entries, self.settings.batch_wait
        )
        self._batch += [record for record in got if not record.error()]
        try:
            self._apply(self._batch)
        except BaseException:  # kept, and nothing more is read; the group hears all the same
            self._consumer.pause(self._consumer.assignment())
            raise
        self._uncommitted |= {r.partition(): r.offset() + 1 for r in self._batch}
        self._batch = []
        self._commit()
        self._purge()
        self._consumer.resume(self._consumer.assignment())
        for record in got:
            self._look(record.error())
        self._raise_wrong()

    def _raise_wrong(self) -> None:
        if wrong := self._wrong:
            self._began, self._wrong = False, None
            raise wrong

    def _purge(self) -> None:
        """Forget old deletions, by whoever has the first partition."""
        due = time.monotonic() > self._purge_at
        if due and any(place.partition == 0 for place in self._consumer.assignment()):
            self._purge_at = time.monotonic() + _PURGES_EVERY
            self.sink.purge()

    def _apply(self, records: Sequence[Any]) -> None:
        """Leave each record in the database, superseded by one that is, or among the dead letters."""
        batch = Batch.of(self.topic.entry(record) for record in records)
        letters = [DeadLetter(entry, entry.problem, 1) for entry in batch.broken]
        changes: list[Change] = []
        for entry in batch.last.values():
            change = change_of(entry)
            if isinstance(change, str):
                letters.append(DeadLetter(entry, change, 1))
            else:
                changes.append(change)
        refused = self._write(changes)
        for one in refused:
            entry = batch.last[one.change.key]
            letters.append(DeadLetter(entry, one.error, self.settings.attempts))
        for letter in letters:
            self._letters.bury(letter)
            entry = letter.entry
            self.metrics.dead_letter(self.topic.name, entry.key, letter.error, letter.attempts)
        done = [*batch.superseded, *batch.last.values()]
        self.metrics.written(self.topic.name, len(changes) - len(refused), done)

    def _write(self, changes: list[Change]) -> list[Rejected]:
        """Returns what the database refuses again and again. Raises Unavailable in an outage."""
        backoff, rejected = Backoff(self.settings), list[Rejected]()
        for attempt in range(self.settings.attempts if changes else 0):
            if attempt:
                self.stopping.wait(backoff.next())
            rejected = self.sink.write(changes)
            changes = [one.change for one in rejected]
            if not changes:
                break
        return rejected

    def _commit(self) -> None:
        """Tell the group how far the database is. What fails is told with the next batch, or now again."""
        if not self._uncommitted:
            return
        name = self.topic.name
        offsets = [TopicPartition(name, number, at) for number, at in self._uncommitted.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _ANOTHERS:
                raise
            self.metrics.say("too late to commit", error=str(error))
        self._uncommitted.clear()

    def _look(self, error: KafkaError | None) -> None:
        if error is None or error.code() == KafkaError._PARTITION_EOF:
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise Misconfigured(
                f"{error}: records were deleted before they were read, or {self.topic.anew}"
            )
        raise KafkaException(error)

    def _pause(self, error: Exception, backoff: Backoff) -> None:
        seconds, said = min(backoff.next(), 3 * self.settings.lease), str(error)
        self.metrics.trouble(self.topic.name, said)
        self.metrics.say("waiting", error=said, again_in=round(seconds, 2))
        self.stopping.wait(seconds)

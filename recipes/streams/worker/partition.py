"""The work on one partition: read, coalesce, write, acknowledge."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from redis.exceptions import ResponseError

from ..core.errors import REDIS_ERRORS, LeaseLost, Misconfigured, Unavailable
from ..core.faults import mend, told
from ..core.names import possible, stream_id_of, version_of
from ..databases.sink import Change, Rejected, Sink
from .entries import Batch, Entry, change_of
from .metrics import Metrics
from .queue import DeadLetter, Queue, Sight
from .reader import Reader
from .settings import Settings


@dataclass
class Failing:
    """An entry that the database refused, with its attempts so far."""

    entry: Entry
    error: str
    attempts: int
    not_before: float


@dataclass
class Outcome:
    """What a batch came to: what may be acknowledged, and what is given up."""

    done: list[Entry] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


class PartitionWorker:
    """Works on one partition until `stop` is set or the lease is lost."""

    def __init__(
        self,
        queue: Queue,
        sink: Sink,
        settings: Settings,
        metrics: Metrics,
        gate: threading.Semaphore,
    ) -> None:
        self.queue, self.sink, self.settings, self.metrics = queue, sink, settings, metrics
        self._gate = gate
        self.tag = queue.partition.tag
        self.stop = threading.Event()
        self.lost = threading.Event()
        self._failing: dict[str, Failing] = {}
        self._tend_at = self._purge_at = 0.0
        self.reader = Reader(queue, settings, self.stop)

    def run(self) -> None:
        """Work. Redis's outages are waited out; a batch begun is settled before stopping."""
        backoff = Backoff(self.settings)
        while not self.ended():
            self.reader.again()
            try:
                self._open()
                self._work(backoff)
            except _WentBack:
                self._failing.clear()  # under ids that they have no more
            except LeaseLost as error:
                self.metrics.say("lease lost", partition=self.tag, reason=str(error))
                self.lost.set()
            except ResponseError as error:
                if "NOGROUP" in str(error) or "UNBLOCKED" in str(error):
                    self.metrics.say("the consumer group is gone", partition=self.tag)
                else:
                    self._pause("redis refuses", error, backoff)
            except (*REDIS_ERRORS, Unavailable) as error:
                self._pause("redis or the database is away", error, backoff)
            except Exception as error:  # ours or a driver's mistake: nothing is acknowledged
                self._pause("failed", error, backoff)
        self.reader.close()

    def ended(self) -> bool:
        """Whether to begin no other batch."""
        return self.stop.is_set() or self.lost.is_set()

    def _open(self) -> None:
        """Make the group; and if Redis has lost this partition, let versions go on. Property 3."""
        self.queue.make_group()
        if self.queue.is_new():
            greatest = self.sink.greatest_version() or ""
            if not possible(greatest):  # a stranger's
                greatest = version_of("0-0")
            moved = self.queue.forward(stream_id_of(greatest))
            self.metrics.say("versions go on", partition=self.tag, after=greatest, moved=moved)

    def _tend(self) -> None:
        """Once in a while: expire what is due, and look at what waits."""
        now = time.monotonic()
        if now < self._tend_at:
            return
        if swept := self.queue.sweep(self.settings.limits):
            self.metrics.say("expired", partition=self.tag, documents=swept)
        # Between batches only what was refused is pending. More: a reading got no reply, and its
        # entries come again to nobody who asks for new ones only; or a stranger has claimed some.
        known = len(self._failing) + self.reader.in_hand()
        if self.reader.at_new() and (pending := self.queue.pending()) > known:
            self.metrics.say("entries were read and not received", partition=self.tag)
            self.queue.take_back(pending)
            self.reader.again()
        seen = self._look()
        if seen.entries and self.reader.at_new() and self.queue.tell_again():
            self.metrics.say("entries would have been told to nobody", partition=self.tag)
        self.reader.fit(seen.bytes / max(1, seen.entries))
        if self.queue.partition.index == 0 and now > self._purge_at:
            self._purge_at = now + 3600
            self.sink.purge()
        self._tend_at = now + min(1.0, self.settings.lease / 5)  # not if any of it failed

    def _look(self) -> Sight:
        """Property 12: what waits, for the metrics."""
        seen = self.queue.look()
        self.metrics.sight(self.tag, seen)
        return seen

    def _work(self, backoff: Backoff) -> None:
        while not self.ended():
            self._tend()
            entries = self._read()
            due = self._due()
            if entries or due:
                self._apply([*due, *entries])
            backoff.reset()
            self.metrics.trouble(self.tag, "")

    def _read(self) -> list[Entry]:
        """A batch."""
        if self.reader.at_new():
            return self.reader.new(self._patience())
        entries, deleted = self.reader.pending(self._failing)
        if deleted:
            self.metrics.say("a stranger deleted entries", partition=self.tag, ids=deleted)
            self.queue.settle(deleted, 0)
        return entries

    def _patience(self) -> float:
        now = time.monotonic()
        return min([0.5, *(max(0.001, f.not_before - now) for f in self._failing.values())])

    def _due(self) -> list[Entry]:
        now = time.monotonic()
        return [failing.entry for failing in self._failing.values() if failing.not_before <= now]

    def _apply(self, entries: list[Entry]) -> None:
        if self.settings.coalesce:
            batch = Batch.of(entries)
            self._settle(self._outcome(batch))
            return
        for entry in entries:
            self._settle(self._outcome(Batch.of([entry])))

    def _outcome(self, batch: Batch) -> Outcome:
        outcome = Outcome()
        for entry in batch.broken:
            outcome.letters.append(DeadLetter(entry, entry.problem, 1))
        for entry in batch.superseded:
            failing = self._failing.get(entry.stream_id)
            if failing:  # never written, and now never will be: somebody should know
                outcome.letters.append(DeadLetter(entry, failing.error, failing.attempts))
            else:
                outcome.done.append(entry)
        changes: list[Change] = []
        for entry in batch.last.values():
            change = change_of(entry)
            if isinstance(change, str):
                self._fail(entry, change, outcome)
            else:
                changes.append(change)
        refused = {r.change.key: r.error for r in self._write(changes)}
        for change in changes:
            entry = batch.last[change.key]
            if change.key in refused:
                self._fail(entry, refused[change.key], outcome)
            else:
                outcome.done.append(entry)
        self.metrics.written(self.tag, len(changes) - len(refused), outcome.done)
        return outcome

    def _write(self, changes: list[Change]) -> list[Rejected]:
        """Property 8: an outage is waited out with backoff and counts as nobody's attempt."""
        if not changes:
            return []
        backoff, after_outage = Backoff(self.settings), False
        while True:
            try:
                if after_outage:
                    self.sink.open()
                with self._gate:
                    rejected = self.sink.write(changes)
            except (Unavailable, Misconfigured) as error:
                if self.ended():
                    raise LeaseLost("stopping in an outage; what is pending stays") from error
                self._pause("the database is away", error, backoff)
                after_outage = True  # somebody may have dropped a table, or an index
            else:
                self._go_on(getattr(rejected, "newest", ""))
                return rejected

    def _go_on(self, newest: str) -> None:
        """Property 3: if the database has a version that Redis has lost, let versions go on from there.

        Redis was taken back: by a power cut, a backup, or a replica that took over and lacked the last
        writes. Where its clock is behind, too, new writes would look older than those it has lost.
        Raises _WentBack: what was in hand comes again, under ids that are newer.
        """
        if not possible(newest) or not self.queue.has_lost(lost := stream_id_of(newest)):
            return
        if moved := self.queue.forward(lost):
            self.metrics.say("redis went back", partition=self.tag, after=newest, moved=moved)
            raise _WentBack

    def _fail(self, entry: Entry, error: str, outcome: Outcome) -> None:
        failing = self._failing.get(entry.stream_id)
        attempts = failing.attempts + 1 if failing else 1
        if attempts >= self.settings.attempts:
            outcome.letters.append(DeadLetter(entry, error, attempts))
            return
        wait = self.settings.first_backoff * 2 ** (attempts - 1)
        self._failing[entry.stream_id] = Failing(entry, error, attempts, time.monotonic() + wait)
        self.metrics.say(
            "refused", partition=self.tag, key=entry.key, error=error, attempt=attempts
        )

    def _settle(self, outcome: Outcome) -> None:
        entries = outcome.done + [letter.entry for letter in outcome.letters]
        if not entries:
            return
        backoff = Backoff(self.settings)
        while True:
            try:
                ids = [entry.stream_id for entry in entries]
                self.queue.settle(ids, sum(entry.size for entry in entries), outcome.letters)
                break
            except (
                REDIS_ERRORS
            ) as error:  # the entries stay pending; they are only acknowledged late
                if isinstance(error, ResponseError) or self.ended():
                    raise
                self._pause("redis is away", error, backoff)
        for entry in entries:
            self._failing.pop(entry.stream_id, None)
        for letter in outcome.letters:
            self.metrics.dead_letter(self.tag, letter.entry.key, letter.error, letter.attempts)

    def _pause(self, event: str, error: Exception, backoff: Backoff) -> None:
        seconds = backoff.next()
        said = told(error)
        news = self.metrics.trouble(self.tag, f"{event}: {said}")
        if news or not mend(said):  # what a person has to mend is said once
            self.metrics.say(event, partition=self.tag, error=said, again_in=round(seconds, 2))
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.stop.wait(min(left, 1.0)):
            with suppress(*REDIS_ERRORS):  # an outage is when the figures are wanted
                self._look()


class _WentBack(Exception):
    """The entries in hand have other ids now."""


class Backoff:
    """Full jitter: anything up to a bound that doubles."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self._bound = self._settings.first_backoff

    def next(self) -> float:
        """Seconds to wait."""
        bound, self._bound = self._bound, min(2 * self._bound, self._settings.longest_backoff)
        return random.uniform(0, bound)

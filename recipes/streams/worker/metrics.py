"""What a worker says of itself: Prometheus metrics, and one line of JSON an event. Property 12."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .entries import Entry
from .queue import Sight

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)  # seconds


class Metrics:
    """All figures of one worker."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self.troubles: dict[str, str] = {}
        self._ahead: dict[str, float] = {}
        """By how many seconds our clock is ahead of Redis's, as last seen in each partition."""
        self.registry = CollectorRegistry()
        of: Any = {"labelnames": ["partition"], "registry": self.registry}
        self.lag = Histogram(
            "writebehind_lag_seconds", "Commit less capture", buckets=_BUCKETS, **of
        )
        self.documents = Counter("writebehind_documents", "Documents committed", **of)
        self.entries = Counter("writebehind_entries", "Entries acknowledged", **of)
        self.letters = Counter("writebehind_given_up", "Entries given up as dead letters", **of)
        self.depth = Gauge("writebehind_queue_entries", "Entries in the stream", **of)
        self.bytes = Gauge("writebehind_queue_bytes", "Bytes in the stream", **of)
        self.oldest = Gauge("writebehind_oldest_seconds", "Age of the oldest entry", **of)
        self.dead = Gauge("writebehind_dead_letters", "Dead letters that wait for somebody", **of)
        self.up = Gauge(
            "writebehind_up", "Whether Redis and the database took the last batch", **of
        )
        self.leases = Gauge("writebehind_leases", "Leases held", registry=self.registry)

    def written(self, partition: str, documents: int, done: Sequence[Entry]) -> None:
        """A batch was committed."""
        now = (time.time() - self._ahead.get(partition, 0.0)) * 1000
        self.documents.labels(partition).inc(documents)
        self.entries.labels(partition).inc(len(done))
        lag = self.lag.labels(partition)
        for entry in done:
            lag.observe(max(0.0, now - entry.milliseconds) / 1000)

    def sight(self, partition: str, seen: Sight) -> None:
        """What waits now."""
        self._ahead[partition] = time.time() - seen.now
        self.depth.labels(partition).set(seen.entries)
        self.bytes.labels(partition).set(seen.bytes)
        self.oldest.labels(partition).set(seen.oldest)
        self.dead.labels(partition).set(seen.dead)

    def dead_letter(self, partition: str, key: str, error: str, attempts: int) -> None:
        """An entry was given up."""
        self.letters.labels(partition).inc()
        self.say("dead letter", partition=partition, key=key, error=error, attempts=attempts)

    def trouble(self, partition: str, what: str) -> bool:
        """What keeps a partition from its work now; empty: nothing. Returns whether it is news."""
        news = what not in self.troubles.values()
        self.up.labels(partition).set(int(not what))
        if what:
            self.troubles[partition] = what
        else:
            self.troubles.pop(partition, None)
        return news

    def forget(self, partition: str) -> None:
        """Another worker has it now: what was seen last must not fire alerts for ever."""
        for gauge in (self.depth, self.bytes, self.oldest, self.dead, self.up):
            with contextlib.suppress(KeyError):  # nothing was seen of it
                gauge.remove(partition)
        self.troubles.pop(partition, None)

    def say(self, event: str, **facts: Any) -> None:
        """One line of JSON."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}, default=str)
        with self._lock:
            print(line, file=self._out, flush=True)

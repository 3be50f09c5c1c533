"""Workers of the tests, and sinks in the way of a database."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from recipes.streams import Change, Partitions, Rejected, Settings, Sink, Worker

ROUTES = {"Movie:": "movies", "Person:": "people"}
QUICK = Settings(partitions=Partitions(2), lease=3.0, batch_wait=0.02, first_backoff=0.02)
"""A worker that a test need not wait for."""

Start = Callable[..., Worker]
"""The fixture `start_worker`."""


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    """Run a worker in a thread until the block ends."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()


def events(log: io.StringIO, word: str) -> list[dict[str, Any]]:
    """What a worker's log says of an error that has this word."""
    return [e for e in map(json.loads, log.getvalue().splitlines()) if word in e.get("error", "")]


class Around:
    """A sink that leaves to another one what it does not do itself."""

    def __init__(self, sink: Sink):
        self.sink = sink

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sink, name)


class Counting(Around):
    """Counts how often it was asked to write."""

    writes = 0

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        self.writes += 1
        return self.sink.write(changes)


class Held(Around):
    """Lets no batch through until told, and keeps them."""

    def __init__(self, sink: Sink):
        super().__init__(sink)
        self.go = threading.Event()
        self.begun = threading.Event()
        self.batches: list[list[Change]] = []

    def write(self, changes: Sequence[Change]) -> list[Rejected]:
        self.begun.set()
        assert self.go.wait(60)
        self.batches.append(list(changes))
        return self.sink.write(changes)

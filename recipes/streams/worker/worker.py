"""A worker: holds its share of the partitions, a thread each. Needs no coordinator but Redis."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from ..client.client import agree, ask_features, prepare
from ..core import library
from ..core.errors import REDIS_ERRORS, Misconfigured, Unavailable
from ..core.faults import mend, told
from ..core.library import NEWER_COMMANDS, VERSION, RedisClient
from ..core.names import GROUP, Partition
from ..databases.sink import Sink
from .metrics import Metrics
from .partition import Backoff, PartitionWorker
from .queue import Queue
from .settings import Settings

_STANDS_STILL = 120.0
"""Seconds without a turn, beside three leases, after which a worker stands still. A turn waits for Redis and
the database, each of which is given up after some seconds, a few times."""


@dataclass
class Held:
    """A partition whose lease is ours."""

    partition: Partition
    token: str
    work: PartitionWorker
    thread: threading.Thread


class Worker:
    """Leases partitions and renews them, gives up what is over its share, drains when stopped."""

    def __init__(
        self,
        redis: RedisClient,
        sink: Sink,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.redis, self.sink = redis, sink
        self.settings = settings or Settings()
        self.metrics = metrics or Metrics()
        self.identity = f"{self.settings.name}:{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self._held: dict[int, Held] = {}
        self._gate = threading.Semaphore(self.settings.writers)
        self._newer: frozenset[str] = frozenset()
        self._trouble = "starting"
        self._began = False
        self._moved = time.monotonic()
        self._away: dict[Any, str] = {}  # masters that did not answer in this round, and why

    def run(self) -> None:
        """Work until `stop()`. Raises Misconfigured for what waiting cannot mend."""
        backoff = Backoff(self.settings)
        ready = False
        try:
            while not self.stopping.is_set():
                self._moved = time.monotonic()
                try:
                    try:  # first: what is held here is not to suffer from trouble elsewhere
                        self._keep()
                    except ResponseError as error:
                        library.is_there(error)  # it may have gone: a FUNCTION FLUSH
                        self._prepare()
                        self._keep()
                    if not ready:
                        self._prepare()
                    agree(self.redis, self.settings.partitions)  # a FLUSHALL may have come
                    self._take()
                    ready = self._began = True
                    self._trouble = "; ".join(sorted(set(self._away.values())))
                    backoff.reset()
                    self.stopping.wait(self.settings.lease / 5)
                except (*REDIS_ERRORS, Unavailable) as error:
                    ready = False  # also the library may have gone
                    said, before = told(error), self._trouble
                    if mend(said) and not self._began:
                        raise Misconfigured(said) from error
                    seconds = min(backoff.next(), self.settings.lease / 3)
                    self._trouble = said
                    if said != before or not mend(said):  # what a person has to mend is said once
                        self.metrics.say("waiting", error=said, again_in=round(seconds, 2))
                    self.stopping.wait(seconds)
        finally:
            self._drain()

    def stop(self) -> None:
        """Let `run` settle the batches it has begun, give its leases back, and return."""
        self.stopping.set()

    def trouble(self) -> str:
        """Why this worker cannot do its work now, or nothing."""
        return self._trouble or "; ".join(sorted(set(self.metrics.troubles.values())))

    def stands_still(self) -> str:
        """Why this process should be ended and another started, or nothing. Outages are no reason."""
        still = time.monotonic() - self._moved
        if self.stopping.is_set() or still < _STANDS_STILL + 3 * self.settings.lease:
            return ""
        return f"no lease was renewed or asked for in {still:.0f} s"

    def _prepare(self) -> None:
        prepare(self.redis, self.settings.partitions)
        self._newer = ask_features(self.redis, NEWER_COMMANDS)
        self.sink.open()
        self.metrics.say(
            "back" if self._began else "started", worker=self.identity, library=VERSION, uses=sorted(self._newer),
            partitions=self.settings.partitions.count,
        )  # fmt: skip

    def _keep(self) -> None:
        """Property 4: a partition has one worker at a time, by lease."""
        self._away.clear()
        for held in list(self._held.values()):
            with self._tolerant(held.partition) as here:
                if not held.thread.is_alive():
                    self._release(held)
                elif here and not self._renew(held, self.settings.lease):
                    self.metrics.say("lease lost", partition=held.partition.tag)
                    held.work.lost.set()

    def _take(self) -> None:
        """Give up what is over the share, and lease what is free."""
        share = self._share()
        over = len(self._held) - share
        for held in list(self._held.values())[: max(0, over)]:
            held.work.stop.set()
        for partition in self.settings.partitions.all():
            if len(self._held) >= share:
                break
            if partition.index not in self._held:
                with self._tolerant(partition) as here:
                    if here:
                        self._lease(partition)
        self.metrics.leases.set(len(self._held))

    @contextmanager
    def _tolerant(self, partition: Partition) -> Iterator[bool]:
        """One master of a cluster that is away costs one attempt a round, and no other master's leases.

        Yields whether the partition's master has not been found away in this round.
        """
        node = None
        try:
            if find := getattr(self.redis, "get_node_from_key", None):
                node = find(partition.stream)
            yield node not in self._away
        except REDIS_ERRORS as error:
            if node is None:  # a single Redis, or nobody knows who has the slot
                raise
            self._away[node] = str(error)

    def _share(self) -> int:
        """An equal part of the partitions, rounded up, for each worker that lives."""
        return -(-self.settings.partitions.count // max(1, self._living(self.settings.lease)))

    def _living(self, seconds: float) -> int:
        words = (self.settings.partitions.workers, VERSION, self.identity, seconds)
        return int(library.call(self.redis, "FCALL", "wb_share", 1, *words))

    def _lease(self, partition: Partition) -> None:
        milliseconds = int(self.settings.lease * 1000)
        delete = "XACKDEL" if "XACKDEL" in self._newer else ""
        keys = (partition.stream, partition.state, partition.lease, partition.dead)
        words = (*keys, VERSION, self.identity, milliseconds, GROUP, delete)
        token = library.call(self.redis, "FCALL", "wb_lease", 4, *words)
        if not token:
            return
        token = token.decode() if isinstance(token, bytes) else token
        queue = Queue(self.redis, partition, token, delete)
        work = PartitionWorker(queue, self.sink, self.settings, self.metrics, self._gate)
        thread = threading.Thread(target=work.run, name=partition.tag, daemon=True)
        self._held[partition.index] = Held(partition, token, work, thread)
        self.metrics.say("leased", partition=partition.tag, token=token)
        thread.start()

    def _renew(self, held: Held, seconds: float) -> bool:
        words = (held.partition.lease, VERSION, held.token, int(seconds * 1000))
        return bool(library.call(self.redis, "FCALL", "wb_renew", 1, *words))

    def _release(self, held: Held) -> None:
        del self._held[held.partition.index]
        self.metrics.forget(held.partition.tag)
        self._renew(held, 0)
        self.metrics.say("released", partition=held.partition.tag)

    def _drain(self) -> None:
        """Property 11: what was begun is settled; what was not stays for a successor."""
        for held in self._held.values():
            held.work.stop.set()
        while any(held.thread.is_alive() for held in self._held.values()):
            for held in list(self._held.values()):
                held.thread.join(self.settings.lease / 5)
                try:
                    self._renew(held, self.settings.lease if held.thread.is_alive() else 0)
                except REDIS_ERRORS:
                    time.sleep(0.01)
        for held in list(self._held.values()):
            with suppress(*REDIS_ERRORS):  # it runs out by itself
                self._renew(held, 0)
        try:
            self._living(0)
        except REDIS_ERRORS as error:
            self.metrics.say("leases run out by themselves", error=str(error))
        self.metrics.say("stopped", worker=self.identity)

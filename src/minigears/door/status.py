"""What the door can say about itself: the section of `INFO`, and the figures of the metrics page."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version

from minigears.door.availability import Availability
from minigears.door.clients.client import Client
from minigears.door.events.watch import Watch
from minigears.door.redis import BackendError
from minigears.door.safeguards import Safeguards
from minigears.protocol import with_section

_PATIENCE = 1.0  # seconds that Redis gets to say how long the journal is


@dataclasses.dataclass(frozen=True)
class Figures:
    """Figures of one moment."""

    clients: int
    clients_sharing: int
    """Those whose commands travel on shared connections."""
    held_replies: int
    """Batches of writes whose replies wait for their functions."""
    events_total: int
    """Events handed to the executor since the door started."""
    events_outstanding: int
    """Events whose functions have not ended."""
    intents_pending: int
    """Writes that would become events again after a crash now; -1 while Redis does not answer."""
    keys_registrations: int
    hooks: int
    stream_prefixes: int
    sessions_unloaded: int
    """Stored sessions that could not be loaded yet; the log says why."""
    redis_connected: int
    redis_answers: int
    """0 while redis-server is away or has not answered for ten seconds."""
    executor_ready: int
    executor_restarts: int
    loop_failures: int
    """Failures, in the door, of what runs as long as the process, and of whatever nobody expects to fail."""
    notifications_restored: int
    """How often `notify-keyspace-events` was found switched off, and switched on again."""
    settings_at_risk: int
    """Settings of Redis that endanger what functions promise; the log says which and why."""
    loops_down: int
    """Those that have failed and are not started again yet."""


class Overview:
    """Looks at everything that the door keeps count of."""

    def __init__(
        self,
        watch: Watch,
        availability: Availability,
        safeguards: Safeguards,
        clients: Collection[Client],
    ):
        self._watch = watch
        self._availability = availability
        self._safeguards = safeguards
        self._clients = clients

    async def figures(self) -> Figures:
        """The figures of now."""
        watch = self._watch
        try:
            intents = await asyncio.wait_for(watch.journal.length(), _PATIENCE)
        except (BackendError, asyncio.TimeoutError):
            intents = -1
        return Figures(
            clients=len(self._clients),
            clients_sharing=sum(client.shares for client in self._clients),
            held_replies=sum(client.replies.backlog for client in self._clients),
            events_total=watch.delivery.total,
            events_outstanding=len(watch.delivery),
            intents_pending=intents,
            keys_registrations=len(watch.interest.keys),
            hooks=len(watch.interest.hooks),
            stream_prefixes=len(watch.interest.streams),
            sessions_unloaded=watch.interest.unloaded_sessions,
            redis_connected=int(self._availability.connected.is_set()),
            redis_answers=int(self._availability.available.is_set()),
            executor_ready=int(watch.executor.ready),
            executor_restarts=watch.executor.restarts,
            loop_failures=watch.loops.failures,
            notifications_restored=self._safeguards.restored,
            settings_at_risk=len(self._safeguards.at_risk),
            loops_down=len(watch.loops.down),
        )

    async def with_section(self, reply: bytes) -> bytes:
        """Redis's reply to `INFO` and the section of minigears after it."""
        return with_section(reply, self._section(await self.figures()))

    def _section(self, figures: Figures) -> bytes:
        lines = ["# minigears", f"minigears_version:{package_version()}"]
        lines += [f"minigears_{name}:{value}" for name, value in vars(figures).items()]
        lines += [f"minigears_last_failure:{self._watch.loops.last}"]
        risks = self._safeguards.at_risk.items()
        lines += [f"minigears_risk_{name}:{why}" for name, why in risks]
        return "".join(f"{line}\r\n" for line in lines).encode()


def package_version() -> str:
    """The version of the package that minigears came with."""
    for package in ("minigears", "write-behind-notebooks"):  # alone, or with the course
        with contextlib.suppress(PackageNotFoundError):
            return version(package)
    return "unknown"  # it runs from a bare folder

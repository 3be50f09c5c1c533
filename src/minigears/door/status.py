"""What the door can say about itself: the section of `INFO`, and the figures of the metrics page."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from minigears.door.redis import BackendError

if TYPE_CHECKING:
    from minigears.door.door import Door

_PATIENCE = 1.0  # seconds that Redis gets to say how long the journal is


@dataclasses.dataclass(frozen=True)
class Status:
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


async def status_of(door: Door) -> Status:
    """Look at everything that the door keeps count of."""
    try:
        intents = await asyncio.wait_for(door.journal.length(), _PATIENCE)
    except (BackendError, asyncio.TimeoutError):
        intents = -1
    return Status(
        clients=len(door.clients),
        clients_sharing=sum(client.shares for client in door.clients),
        held_replies=sum(client.replies.backlog for client in door.clients),
        events_total=door.delivery.total,
        events_outstanding=len(door.delivery),
        intents_pending=intents,
        keys_registrations=len(door.interest.keys),
        hooks=len(door.interest.hooks),
        stream_prefixes=len(door.interest.streams),
        sessions_unloaded=door.interest.unloaded_sessions,
        redis_connected=int(door.connected.is_set()),
        redis_answers=int(door.available.is_set()),
        executor_ready=int(door.executor.ready),
        executor_restarts=door.executor.restarts,
        loop_failures=door.loops.failures,
        notifications_restored=door.safeguards.restored,
        settings_at_risk=len(door.safeguards.at_risk),
        loops_down=len(door.loops.down),
    )


async def with_section(door: Door, reply: bytes) -> bytes:
    """Redis's reply to `INFO` (a bulk or a verbatim string) and the section of minigears after it.

    An error, or `QUEUED` inside MULTI, stays as it is.
    """
    kind, rest = reply[:1], reply.partition(b"\r\n")[2]
    if kind not in (b"$", b"="):
        return reply
    text = rest.removesuffix(b"\r\n")
    gap = b"" if text in (b"", b"txt:") else b"\r\n"
    text += gap + _section(door, await status_of(door))
    return b"%s%d\r\n%s\r\n" % (kind, len(text), text)


def _section(door: Door, status: Status) -> bytes:
    lines = ["# minigears", f"minigears_version:{package_version()}"]
    lines += [f"minigears_{name}:{value}" for name, value in vars(status).items()]
    lines += [f"minigears_last_failure:{door.loops.last}"]
    lines += [f"minigears_risk_{name}:{why}" for name, why in door.safeguards.at_risk.items()]
    return "".join(f"{line}\r\n" for line in lines).encode()


def package_version() -> str:
    """The version of the package that minigears came with."""
    for package in ("minigears", "write-behind-notebooks"):  # alone, or with the course
        with contextlib.suppress(PackageNotFoundError):
            return version(package)
    return "unknown"  # it runs from a bare folder

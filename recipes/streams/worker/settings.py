"""What a worker can be told, with the defaults that were measured."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field

from ..client.calls import Limits
from ..core.names import Partitions


@dataclass(frozen=True)
class Settings:
    """Seconds, unless a name says otherwise."""

    partitions: Partitions = field(default_factory=Partitions)
    batch_entries: int = 500
    """Documents a batch, at most; their changes are up to ten times as many."""
    batch_bytes: int = 8 * 1024 * 1024
    batch_wait: float = 0.1
    lease: float = 10.0
    attempts: int = 5
    writers: int = 2
    """Bulk writes at a time, of one worker: a database may be slower with many than with one. Partitions take turns."""
    first_backoff: float = 0.1
    longest_backoff: float = 30.0
    coalesce: bool = True
    limits: Limits = field(default_factory=Limits)
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

"""Write-behind on Redis Streams: Redis takes writes at once, a database gets them in batches."""

from .asyncclient import AsyncWriteBehind
from .calls import Limits
from .capturing import AsyncCapturingRedis, CapturingRedis
from .client import WriteBehind
from .errors import (
    Conflict,
    LeaseLost,
    Misconfigured,
    NotCaptured,
    QueueFull,
    Refused,
    Unavailable,
    WriteBehindError,
)
from .metrics import Metrics
from .names import Partitions
from .places import connect
from .settings import Settings
from .sink import Change, Rejected, Sink, Stored, open_sink
from .worker import Worker

__all__ = [
    "AsyncCapturingRedis",
    "AsyncWriteBehind",
    "CapturingRedis",
    "Change",
    "Conflict",
    "LeaseLost",
    "Limits",
    "Metrics",
    "Misconfigured",
    "NotCaptured",
    "Partitions",
    "QueueFull",
    "Refused",
    "Rejected",
    "Settings",
    "Sink",
    "Stored",
    "Unavailable",
    "Worker",
    "WriteBehind",
    "WriteBehindError",
    "connect",
    "open_sink",
]

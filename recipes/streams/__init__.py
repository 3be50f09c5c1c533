"""Write-behind on Redis Streams: Redis takes writes at once, a database gets them in batches."""

from .client.asyncclient import AsyncWriteBehind
from .client.calls import Limits
from .client.capturing import AsyncCapturingRedis, CapturingRedis
from .client.client import WriteBehind
from .core.errors import (
    Conflict,
    LeaseLost,
    Misconfigured,
    NotCaptured,
    QueueFull,
    Refused,
    Unavailable,
    WriteBehindError,
)
from .core.names import Partitions
from .databases.opening import open_sink
from .databases.sink import Change, Rejected, Sink, Stored
from .verbs.places import connect
from .worker.metrics import Metrics
from .worker.settings import Settings
from .worker.worker import Worker

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

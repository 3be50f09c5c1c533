"""What can go wrong, each with a sentence that says what to do."""

from __future__ import annotations

from redis.exceptions import RedisClusterException, RedisError, ResponseError

REDIS_ERRORS = (RedisError, RedisClusterException)
"""What redis-py raises. A cluster that cannot be reached is no RedisError to it."""


class WriteBehindError(Exception):
    """Whatever this package raises by itself."""


class Misconfigured(WriteBehindError):
    """Settings that cannot work together, or a server that cannot do what is needed."""


class Refused(WriteBehindError):
    """A write that was refused as a whole: nothing has changed."""


class QueueFull(Refused):
    """There was no room until the deadline: the queue is at its limit, or Redis has no memory left, as it says.

    Nothing has changed; write again later.
    """


class Conflict(Refused):
    """Compare and set: the document has changed since it was read. Read it again."""


class Forgotten(Refused):
    """Nobody knows any more whether the document was deleted. Nothing has changed; say what you know."""


class NotCaptured(Refused):
    """A command that would change a captured document and leave no entry."""


class Unavailable(WriteBehindError):
    """Redis or the database can take nothing now: an outage, never the fault of one document."""


class Denied(Unavailable):
    """An outage that only a person ends: credentials, rights, a table's columns. Says how."""


class TakesNoWrites(Unavailable, ResponseError):
    """Redis answered until the deadline that it takes no writes. What was not lost on its way is not in."""


class LeaseLost(WriteBehindError):
    """Another worker may have the partition. Whatever was not acknowledged is its business."""

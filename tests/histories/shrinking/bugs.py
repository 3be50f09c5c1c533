"""The bugs that are planted in the write-behind in memory, and where each of them shows."""

from __future__ import annotations

from enum import Enum


class Bug(Enum):
    """What may be planted."""

    NONE = "none"
    ACKNOWLEDGE_ON_READ = "the worker acknowledges before the database has committed"
    NO_FENCE = "a worker that was replaced still overwrites what is newer"
    MAXLEN = "the stream is trimmed to a length"
    FOUR_CONSUMERS = "four consumers share one stream"
    NO_TOMBSTONE = "a delete leaves nothing that outlives it"
    PERSIST_FORGOTTEN = "what was persisted expires all the same"
    FLUSH_DELETES = "what a stranger flushed from Redis is deleted from the database, too"
    LOSES_MORE = "a power cut takes more than Redis has promised to keep"
    TORN_APART = "a power cut takes the entry and leaves the document"
    WITHOUT_WAIT = "a write is acknowledged before a replica has it"
    FORGETFUL = (
        "what comes after a power cut that sets the clock back looks older than what was lost"
    )


DISASTROUS = frozenset({Bug.FLUSH_DELETES, Bug.LOSES_MORE, Bug.TORN_APART})
"""The bugs that show in a disaster only."""

REPLICATED = frozenset({Bug.WITHOUT_WAIT})
"""The bugs that show only where a replica takes over."""

SET_BACK = frozenset({Bug.FORGETFUL})
"""The bugs that show only where a power cut sets Redis's clock back."""

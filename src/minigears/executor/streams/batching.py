"""When a stream must be looked at, and when its batch is due. No input, no output, no clock."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from math import inf

RECOUNT_SECONDS = 0.002
"""A stream that fills up entry by entry is counted this often, not once for each entry."""

_FIRST_ID_MS = 1_262_304_000_000
"""2010: an id with a smaller first half was chosen by the writer and tells no time."""


@dataclass(frozen=True)
class StreamArgs:
    """What a stream registration was registered with; raises ValueError on a bad value."""

    prefix: str
    """A key, or with a `*` at its end the start of one."""
    batch: int = 1
    """Entries of a full batch."""
    duration: int = 0
    """Milliseconds after which a batch that is not full runs; 0: it waits until it is full."""
    on_failed_policy: str = "continue"
    """`continue`, `abort` or `retry`."""
    on_failed_retry_interval: float = 1
    """Seconds before a retry."""
    trim_stream: bool = True
    """Remove entries that are done."""

    def __post_init__(self) -> None:
        if self.on_failed_policy not in ("continue", "abort", "retry"):
            raise ValueError(f"no failure policy: {self.on_failed_policy!r}")
        if self.batch < 1 or self.duration < 0 or self.on_failed_retry_interval < 0:
            raise ValueError("batch is at least 1; duration and retry interval are not negative")

    def matches(self, key: bytes) -> bool:
        """Whether the registration reads this key."""
        prefix = self.prefix.encode(errors="surrogateescape")
        return key.startswith(prefix[:-1]) if prefix.endswith(b"*") else key == prefix


@dataclass
class StreamState:
    """One stream of a registration. Times are seconds of a monotonic clock."""

    key: bytes
    pending: bool = True
    """Entries that were delivered and not acknowledged are read first."""
    looked: bool = False
    """Whether pending entries have been looked for once."""
    drain: bool = False
    """Entries that were there at the start do not wait for a full batch."""
    supposed: int = 0
    """Entries that RedisGears supposes to be unread, from the stream's length at the start."""
    since: float | None = None
    """When the oldest unread entry came, as far as is known."""
    leftover: bool = False
    """A full batch was read, so the oldest unread entry may be older than `since`."""
    owed: int = 0
    """Entries of a batch that was due and was cut short for its size: they wait for no others."""
    counted: float = -inf
    """When unread entries were last counted."""
    due: float = inf
    """When to look at it again; the agenda keeps it."""

    def touch(self, when: float) -> float:
        """Take note of a new entry; returns the time to look at the stream."""
        if self.since is None:
            self.since = when
        return min(self.due, max(when, self.counted + RECOUNT_SECONDS))

    def read(self, entries: int, wanted: int, cut: bool) -> bool:
        """Take note of what a read gave; returns whether there may be more.

        `cut`: it gave less than was wanted because of the entries' size.
        """
        self.since = None
        self.owed = wanted - entries if cut else 0
        self.leftover = cut or entries == wanted
        if not self.leftover:
            self.drain = False
        return self.leftover


def due_without_counting(state: StreamState, now: float, args: StreamArgs) -> bool:
    """Whether a batch runs whatever the number of unread entries."""
    if state.drain or state.owed or args.batch == 1:
        return True
    return state.since is not None and now >= _deadline(state.since, args)


def batch_time(unread: int, since: float, now: float, args: StreamArgs) -> float:
    """When a batch of `unread` entries, the oldest here `since` then, is due; `inf` for never."""
    if unread <= 0:
        return inf
    if unread >= args.batch:
        return now
    return _deadline(since, args)


def _deadline(since: float, args: StreamArgs) -> float:
    return since + args.duration / 1000 if args.duration else inf


def added_since(entry_id: bytes, moment_ms: float) -> bool:
    """Whether the entry was surely added after this moment, by its id, which knows milliseconds."""
    return int(entry_id.partition(b"-")[0]) > moment_ms


def age_ms(entry_id: bytes, now_ms: float) -> float:
    """Milliseconds since the entry was added, from its id; 0 if the id tells no time."""
    added = int(entry_id.partition(b"-")[0])
    return max(0.0, now_ms - added) if added >= _FIRST_ID_MS else 0.0


@dataclass
class Agenda:
    """Streams in the order in which they must be looked at."""

    _heap: list[tuple[float, int, StreamState]] = field(default_factory=list)
    _states: dict[bytes, StreamState] = field(default_factory=dict)
    _count: int = 0

    def get(self, key: bytes) -> StreamState | None:
        """The stream, if it is on the agenda."""
        return self._states.get(key)

    def put(self, state: StreamState, when: float) -> None:
        """Look at `state` at `when`, and only then."""
        if self._states.get(state.key) is state and state.due == when:
            return
        self._states[state.key] = state
        state.due = when
        if when < inf:
            self._count += 1
            heapq.heappush(self._heap, (when, self._count, state))
            self._forget_old_times()

    def drop(self, state: StreamState) -> None:
        """Take the stream off the agenda."""
        self._states.pop(state.key, None)
        state.due = inf

    def _forget_old_times(self) -> None:
        if len(self._heap) > 2 * len(self._states) + 64:
            self._heap = [(s.due, n, s) for n, s in enumerate(self._states.values()) if s.due < inf]
            heapq.heapify(self._heap)
            self._count = len(self._states)

    def next_time(self) -> float:
        """When the first stream is due, `inf` if none is."""
        while self._heap and self._heap[0][0] != self._heap[0][2].due:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def pop(self, now: float) -> StreamState | None:
        """A stream that is due, the longest due first; it must be put or dropped afterwards."""
        if self.next_time() > now:
            return None
        state = heapq.heappop(self._heap)[2]
        state.due = inf
        return state

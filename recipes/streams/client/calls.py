"""How a write is tried until it is done, refused, or out of time. Pure: shells send and sleep."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from ..core.errors import Conflict, Misconfigured, QueueFull, Refused, TakesNoWrites
from ..core.faults import mend
from ..core.library import VERSION
from ..core.names import Partition

_LOST = (ConnectionError, TimeoutError, BusyLoadingError)
_LATER = (ReadOnlyError, ClusterDownError, TryAgainError)
_FULL = ("WBFULL", "> 'maxmemory'")
_LATER_WORDS = (
    *(*_FULL, "NOREPLICAS", "MASTERDOWN", "WBORDER", "LOADING", "CLUSTERDOWN"),
    *("MISCONF", "BUSY Redis"),  # the disk is full; a script runs for too long
)
_INSTALL = ("WBVERSION", "Function not found")


@dataclass(frozen=True)
class Limits:
    """When a partition is full, and how long a writer waits for room.

    `entries` and `bytes` are of one partition, `wait` and the backoff are in seconds.
    """

    entries: int = 100_000
    bytes: int = 64 * 1024 * 1024
    wait: float = 10.0
    first_backoff: float = 0.01
    longest_backoff: float = 1.0


@dataclass
class Lane:
    """What one write at a time is numbered in, so that Redis knows a second delivery of it."""

    name: str
    sequence: int = 0


class Lanes:
    """The lanes of one client. Few, as each is used again when its write is done."""

    def __init__(self) -> None:
        self._free: list[Lane] = []
        self._process = os.getpid()

    def number(self, calls: Sequence[Call]) -> None:
        """Give each call a lane and the next number in it."""
        if self._process != os.getpid():  # a forked child shares no lane with its parent
            self._free, self._process = [], os.getpid()
        for call in calls:
            try:
                call.lane = self._free.pop()
            except IndexError:
                call.lane = Lane(secrets.token_hex(8))
            call.lane.sequence += 1
        if len(calls) > 1:
            link(calls)

    def give(self, calls: Sequence[Call]) -> None:
        """Take the lanes of finished calls back."""
        if self._process == os.getpid():
            self._free += [call.lane for call in reversed(calls)]


@dataclass
class Call:
    """One captured write."""

    key: str
    partition: Partition
    command: str
    arguments: Sequence[Any]
    etag: str = ""
    lane: Lane = field(default_factory=lambda: Lane(""))
    before: Call | None = None
    other: tuple[str, Partition] | None = None
    """Another key that the command changes, as RENAME does."""

    def words(self, limits: Limits) -> list[Any]:
        """The FCALL. `before` is the write on the same key that has to be in first."""
        at, lane = self.partition, self.lane
        keys = [self.key, at.stream, at.state, at.due]
        if self.other:
            there = self.other[1]
            keys += [self.other[0], there.stream, there.state, there.due]
        first = f"{self.before.lane.name} {self.before.lane.sequence}" if self.before else "- -"
        bounds = f"{limits.entries} {limits.bytes}"
        head = f"{VERSION} {lane.name} {lane.sequence} {first} {bounds} {self.etag or '-'}"
        return ["FCALL", "wb_write", len(keys), *keys, head, self.command.upper(), *self.arguments]


@dataclass(frozen=True)
class Written:
    """What came of a write: its entry's id (None: nothing changed) and the command's own reply."""

    stream_id: str | None
    reply: Any


@dataclass(frozen=True)
class Send:
    """A step: send these calls, in this order, and bring their replies (values or exceptions)."""

    calls: list[Call]


@dataclass(frozen=True)
class Sleep:
    """A step: wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Install:
    """A step: load the library, after checking what is there."""


Step = Send | Sleep | Install
Outcome = Written | Exception


def attempts(
    calls: list[Call], limits: Limits, clock: Any
) -> Generator[Step, list[Any] | None, list[Outcome]]:
    """Try calls until each is done or refused. Yields steps, returns an outcome for each call.

    Property 1: whatever is sent again has the number it had, so it applies once. Property 7: a full
    queue is waited for with jitter, and after the deadline is QueueFull.
    """
    outcomes: dict[int, Outcome] = {}
    deadline = clock() + limits.wait
    backoff, installed = limits.first_backoff, False
    while True:
        todo = [call for call in calls if id(call) not in outcomes]
        link(todo)
        replies = yield Send(todo)
        assert replies is not None
        waiting: Exception | None = None
        install = False
        for call, reply in zip(todo, replies, strict=True):
            if not isinstance(reply, Exception):
                outcomes[id(call)] = written_of(reply)
            elif any(word in str(reply) for word in _INSTALL) and not installed:
                install = True
            elif _may_pass(reply):
                waiting = reply if waiting is None or "WBORDER" in str(waiting) else waiting
            else:
                outcomes[id(call)] = _refusal(call, reply)
        if install:
            yield Install()
            installed = True
        elif waiting is None:
            return [outcomes[id(call)] for call in calls]
        elif clock() >= deadline:
            last = _given_up(waiting, limits)
            return [outcomes.get(id(call), last) for call in calls]
        else:
            yield Sleep(min(random.uniform(0, backoff), max(0.0, deadline - clock())))
            backoff = min(2 * backoff, limits.longest_backoff)


def link(calls: Sequence[Call]) -> None:
    """Let each call wait for the one before it on the same key: no retry overtakes."""
    last: dict[str, Call] = {}
    for call in calls:
        call.before = last.get(call.key)
        for key in [call.key, *(call.other or ())[:1]]:
            last[str(key)] = call


def written_of(reply: Any) -> Written:
    """What the library answers to a write."""
    stream_id, value = reply[0], reply[1] if len(reply) > 1 else None
    return Written(stream_id.decode() if isinstance(stream_id, bytes) else stream_id or None, value)


def _may_pass(error: Exception) -> bool:
    if mend(error):
        return False
    if isinstance(error, RedisClusterException):  # no error of redis-py's other kind
        return "same" not in str(error)  # "keys must map to the same slot" does not pass
    return isinstance(error, (*_LOST, *_LATER)) or any(word in str(error) for word in _LATER_WORDS)


def _given_up(error: Exception, limits: Limits) -> Exception:
    if any(word in str(error) for word in _FULL):
        return QueueFull(f"no room within {limits.wait:g} s, nothing was changed: {error}")
    if isinstance(error, ResponseError) and "WBORDER" not in str(error):
        return TakesNoWrites(f"Redis takes no writes, nor did it within {limits.wait:g} s: {error}")
    return error


def clear(error: Exception) -> Exception:
    """An error of Redis from before any write, as one that says what to do."""
    if how := mend(error):
        return Misconfigured(f"Redis: {error}: {how}")
    if isinstance(error, ResponseError) and _may_pass(error):
        return TakesNoWrites(f"Redis takes no writes: {error}")
    return error


def _refusal(call: Call, error: Exception) -> Exception:
    said = str(error)
    if said.startswith("WBCONFLICT"):
        return Conflict(f"{call.key}: {said.partition(' ')[2]}; read it again")
    if said.startswith("WBVERSION") or "Function not found" in said:
        return Misconfigured(f"{said}; install the same version of this package everywhere")
    if "CROSSSLOT" in said or "same slot" in said or "same key slot" in said:
        return Misconfigured(
            f"on a cluster a key has to name its partition, as {call.partition.tag!r} in braces;"
            f" {call.key!r} does not: {said}"
        )
    if how := mend(error):
        return Misconfigured(f"{call.key}: {said}: {how}")
    return Refused(f"{call.key}: {said}") if isinstance(error, ResponseError) else error

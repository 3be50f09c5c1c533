"""How writes are tried until each is done, refused, or out of time. Pure: shells send and sleep."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import (
    BusyLoadingError,
    ClusterError,
    ConnectionError,
    NoPermissionError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from ..core.errors import Conflict, Misconfigured, QueueFull, Refused, TakesNoWrites
from ..core.faults import mend
from .calls import Call, Limits, Outcome, written_of
from .parcels import Lanes, Parcel, held_back, link

_LOST = (ConnectionError, TimeoutError, BusyLoadingError)
_LATER = (
    ReadOnlyError,
    ClusterError,
    TryAgainError,
)  # ClusterError: redis-py has tried it 16 times
_FULL = {
    "WBFULL": "the queue is at its limit, and had no room",
    "> 'maxmemory'": "Redis has no memory left, and had none",
}
"""Why there is no room: the queue's own limits, or those of Redis, which is full of whatever it may be."""
_LATER_WORDS = (
    *(*_FULL, "NOREPLICAS", "MASTERDOWN", "WBORDER", "LOADING", "CLUSTERDOWN"),
    *("MISCONF", "BUSY Redis"),  # the disk is full; a script runs for too long
)
_INSTALL = ("WBVERSION", "Function not found")
_OF_ONE_SLOT = ("CROSSSLOT", "same slot", "same key slot")


@dataclass(frozen=True)
class Send:
    """A step: send these parcels, in this order, and bring their replies (values or exceptions)."""

    parcels: list[Parcel]


@dataclass(frozen=True)
class Sleep:
    """A step: wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Install:
    """A step: load the library, after checking what is there."""


Step = Send | Sleep | Install
Outcomes = dict[Call, Outcome]


def attempts(
    parcels: list[Parcel],
    lanes: Lanes,
    limits: Limits,
    clock: Any,
    replies: list[Any] | None = None,
) -> Generator[Step, list[Any] | None, Outcomes]:
    """Try parcels until each of their calls is done or refused. Yields steps, returns outcomes.

    Property 1: what may have been taken is sent again as it was, under its number, so it applies
    once; what was certainly refused gets another. Property 7: a full queue is waited for with
    jitter, and after the deadline is QueueFull. `replies` are those to a first try that somebody
    else has made. Gives lanes back to `lanes`.
    """
    outcomes: Outcomes = {}
    used = {parcel.lane.name: parcel.lane for parcel in parcels}
    deadline = clock() + limits.wait
    backoff, installed = limits.first_backoff, False
    try:
        while True:
            link(parcels)
            held = held_back(parcels) if replies is None else set()
            sent = [parcel for parcel in parcels if parcel not in held]
            if replies is None:
                replies = yield Send(sent)
            assert replies is not None
            said, replies = dict(zip(sent, replies, strict=True)), None
            done = _Round(outcomes, lanes, installed)
            for parcel in parcels:
                if parcel in held:
                    done.left.append(parcel)
                else:
                    done.take(parcel, said[parcel])
            parcels = done.left
            used.update((parcel.lane.name, parcel.lane) for parcel in parcels)
            if done.install:
                yield Install()
                installed = True
            elif not parcels:
                return outcomes
            elif all(_is_order(error) for error in done.why.values()):
                continue  # the first of them can go now
            elif clock() >= deadline:
                outcomes.update(_given_up(parcels, done.why, limits))
                return outcomes
            else:
                yield Sleep(min(random.uniform(0, backoff), max(0.0, deadline - clock())))
                backoff = min(2 * backoff, limits.longest_backoff)
    finally:
        lanes.give(reversed(used.values()))


@dataclass
class _Round:
    """What came of sending once."""

    outcomes: Outcomes
    lanes: Lanes
    installed: bool
    left: list[Parcel] = field(default_factory=list)
    """What has to be sent again, in order."""
    why: dict[Call, Exception] = field(default_factory=dict)
    """What each call among these has to wait for."""
    install: bool = False

    def take(self, parcel: Parcel, reply: Any) -> None:
        """Sort out the reply to a parcel: a value or an exception."""
        if not isinstance(reply, Exception):
            self._take_each(parcel, parcel.replies(reply))
        elif _says(reply, _INSTALL) and not self.installed:
            self.install = True
            self.left.append(parcel)
        elif _may_pass(reply):
            self.why.update(dict.fromkeys(parcel.calls, reply))
            self.left.append(parcel)
        elif len(parcel.calls) > 1 and _of_one_key(reply):
            self.left += [self.lanes.parcel(call) for call in parcel.calls]
        else:
            self.outcomes.update((call, _refusal(call, reply)) for call in parcel.calls)

    def _take_each(self, parcel: Parcel, replies: list[Any]) -> None:
        again: list[Call] = []
        for call, reply in zip(parcel.calls, replies, strict=True):
            if not isinstance(reply, Exception):
                self.outcomes[call] = written_of(reply)
            elif _may_pass(reply):
                self.why[call] = reply
                again.append(call)
            else:
                self.outcomes[call] = _refusal(call, reply)
        if again:
            self.left.append(parcel.again(again))


def pause(number: int, limits: Limits) -> float:
    """Seconds between compare-and-set `number` (from 0) and the next: full jitter, or all would collide again."""
    return random.uniform(0, min(limits.first_backoff * 2**number, limits.longest_backoff))


def _says(error: Exception, words: tuple[str, ...]) -> bool:
    return any(word in str(error) for word in words)


def _is_order(error: Exception) -> bool:
    """Whether it is not about the write itself, but about the one before it."""
    return "WBORDER" in str(error)


def _of_one_key(error: Exception) -> bool:
    """Whether Redis has not begun, for what may be the fault of one key among several."""
    return isinstance(error, NoPermissionError) or _says(error, _OF_ONE_SLOT)


def _may_pass(error: Exception) -> bool:
    if mend(error):
        return False
    if isinstance(error, RedisClusterException):  # no error of redis-py's other kind
        return "same" not in str(error)  # "keys must map to the same slot" does not pass
    return isinstance(error, (*_LOST, *_LATER)) or _says(error, _LATER_WORDS)


def _given_up(parcels: list[Parcel], why: dict[Call, Exception], limits: Limits) -> Outcomes:
    """What each call is told that has waited in vain: its own reason, or that of the one before it."""
    reasons = sorted(why.values(), key=_is_order)
    outcomes: Outcomes = {}
    for parcel in parcels:
        for call in parcel.calls:
            error = why.get(call, reasons[0])
            error = reasons[0] if _is_order(error) else error
            outcomes[call] = _in_vain(error, limits)
    return outcomes


def _in_vain(error: Exception, limits: Limits) -> Exception:
    """What a call is told that has waited for something to pass, and it did not."""
    for word, full in _FULL.items():
        if word in str(error):
            said = f"{full} within {limits.wait:g} s; nothing was changed: {error}"
            return QueueFull(said)
    if isinstance(error, (ResponseError, ClusterError)) and not _is_order(error):
        said = f"Redis takes no writes, nor did it within {limits.wait:g} s: {error}"
        return TakesNoWrites(said)
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
    if _says(error, _INSTALL):
        return Misconfigured(f"{said}; install the same version of this package everywhere")
    if _says(error, _OF_ONE_SLOT):
        return Misconfigured(
            f"on a cluster a key has to name its partition, as {call.partition.tag!r} in braces;"
            f" {call.key!r} does not: {said}"
        )
    if how := mend(error):
        return Misconfigured(f"{call.key}: {said}: {how}")
    return Refused(f"{call.key}: {said}") if isinstance(error, ResponseError) else error

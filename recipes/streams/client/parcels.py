"""Which captured writes go out together, and the number that makes each apply once. Pure.

A pipeline's writes to one partition are one FCALL, a parcel. Order is kept for each key, and nothing
else: a write may go out before one of another key that was queued earlier.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.library import VERSION
from ..core.names import Partition
from .calls import Call, Limits

MOST_CALLS = 200
MOST_CHARACTERS = 1 << 20
"""What one FCALL holds at most: Redis serves nobody else while it runs."""


@dataclass
class Lane:
    """What one parcel at a time is numbered in, so that Redis knows a second delivery of it."""

    name: str
    sequence: int = 0


@dataclass(eq=False)
class Parcel:
    """Writes to one partition under one number. Whatever is sent again is the same, number and all."""

    calls: list[Call]
    lane: Lane
    sequence: int
    before: Sequence[Parcel] = ()
    """Those with earlier writes of the same keys, which have to be in first."""
    size: int = 0

    @property
    def number(self) -> str:
        """The sequence as it is sent: of one width, so that text compares as numbers do."""
        return f"{self.sequence:012d}"

    def words(self, limits: Limits) -> list[Any]:
        """The FCALL."""
        call = self.calls[0]
        if len(self.calls) > 1:
            return self._bundle(call.partition, limits)
        if call.sets_whole() and not (call.etag or self.before):
            return self._set(call, call.partition, limits)
        return self._write(call, call.partition, limits)

    def _set(self, call: Call, at: Partition, limits: Limits) -> list[Any]:
        head = f"{VERSION} {call.command.upper()} {limits.entries} {limits.bytes}"
        words = (head, self.lane.name, self.number, call.arguments[-1])
        return ["FCALL", "wb_set", 3, call.key, at.stream, at.state, *words]

    def _write(self, call: Call, at: Partition, limits: Limits) -> list[Any]:
        keys = [call.key, at.stream, at.state, at.due]
        if call.other:
            there = call.other[1]
            keys += [call.other[0], there.stream, there.state, there.due]
        first = f"{self.before[0].lane.name} {self.before[0].number}" if self.before else "- -"
        bounds = f"{limits.entries} {limits.bytes}"
        head = f"{VERSION} {self.lane.name} {self.number} {first} {bounds} {call.etag or '-'}"
        return ["FCALL", "wb_write", len(keys), *keys, head, call.command.upper(), *call.arguments]

    def _bundle(self, at: Partition, limits: Limits) -> list[Any]:
        keys = [at.stream, at.state, at.due, *[call.key for call in self.calls]]
        head = f"{VERSION} {self.lane.name} {self.number} {limits.entries} {limits.bytes}"
        words: list[Any] = ["FCALL", "wb_bundle", len(keys), *keys, head, len(self.before)]
        for parcel in self.before:
            words += (parcel.lane.name, parcel.number)
        for call in self.calls:
            words += (call.command.upper(), len(call.arguments), *call.arguments)
        return words

    def replies(self, reply: Any) -> list[Any]:
        """The reply to each call, or an error."""
        return [reply] if len(self.calls) == 1 else list(reply)

    def again(self, calls: list[Call]) -> Parcel:
        """Those of its calls that were refused, under the next number: it was answered."""
        self.lane.sequence += 1
        return Parcel(calls, self.lane, self.lane.sequence)


class Lanes:
    """The lanes of one client. Few, as each is used again when its parcel is done."""

    def __init__(self) -> None:
        self._free: list[Lane] = []
        self._process = os.getpid()

    def parcel(self, call: Call) -> Parcel:
        """A parcel with a call in it, numbered."""
        if self._process != os.getpid():  # a forked child shares no lane with its parent
            self._free, self._process = [], os.getpid()
        try:
            lane = self._free.pop()
        except IndexError:
            lane = Lane(secrets.token_hex(8))
        lane.sequence += 1
        return Parcel([call], lane, lane.sequence)

    def give(self, lanes: Iterable[Lane]) -> None:
        """Take the lanes of finished parcels back."""
        if self._process == os.getpid():
            self._free += lanes


class Packing:
    """Packs calls, as they come, into as few parcels as keep the order of each key."""

    def __init__(self, lanes: Lanes) -> None:
        self.parcels: list[Parcel] = []
        self._lanes = lanes
        self._open: dict[int, int] = {}  # by partition: the place of the parcel that takes more
        self._last: dict[str, int] = {}  # by key: the place of the parcel with its last call
        self._renamed: set[str] = set()  # keys whose calls may have to wait for another partition

    def add(self, call: Call) -> Parcel | None:
        """Pack a call; returns the parcel if it is a new one."""
        if call.other:
            self._renamed.add(call.other[0])
        alone = bool(call.etag or call.other or call.key in self._renamed)
        size = sum(len(word) for word in call.arguments if isinstance(word, (str, bytes)))
        place = self._open.get(call.partition.index)
        if place is not None and not alone and self._fits(call.key, size, place):
            self.parcels[place].calls.append(call)
            self.parcels[place].size += size
            self._last[call.key] = place
            return None
        parcel = self._lanes.parcel(call)
        parcel.size = size
        self.parcels.append(parcel)
        self._last.update(dict.fromkeys(call.changed(), len(self.parcels) - 1))
        if not alone:
            self._open[call.partition.index] = len(self.parcels) - 1
        return parcel

    def close(self) -> None:
        """Let nothing that comes now go out with what came before."""
        self._open.clear()

    def _fits(self, key: str, size: int, place: int) -> bool:
        parcel = self.parcels[place]
        room = len(parcel.calls) < MOST_CALLS and parcel.size + size <= MOST_CHARACTERS
        return room and self._last.get(key, place) <= place  # else it would go out too early


def packed(calls: Sequence[Call], lanes: Lanes) -> list[Parcel]:
    """Pack all calls of a pipeline."""
    packing = Packing(lanes)
    for call in calls:
        packing.add(call)
    return packing.parcels


def link(parcels: Sequence[Parcel]) -> None:
    """Let each parcel wait for those before it with the same keys: no retry overtakes."""
    last: dict[str, Parcel] = {}
    for parcel in parcels:
        keys = [key for call in parcel.calls for key in call.changed()]
        parcel.before = list({id(last[key]): last[key] for key in keys if key in last}.values())
        last.update(dict.fromkeys(keys, parcel))


def held_back(parcels: Sequence[Parcel]) -> set[Parcel]:
    """Those that have to wait for what their own FCALL cannot ask about: another partition's parcel."""
    held: set[Parcel] = set()
    for parcel in parcels:
        here = parcel.calls[0].partition
        several = len(parcel.calls) == 1 and len(parcel.before) > 1
        if several or any(b in held or b.calls[0].partition != here for b in parcel.before):
            held.add(parcel)
    return held

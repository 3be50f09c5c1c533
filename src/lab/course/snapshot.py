"""The state of both stores at one moment, as far as they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pymongo
import redis
from pymongo.errors import PyMongoError
from redis import Redis

from lab.names import COLLECTION, KEY_PREFIX
from lab.stack.gears import registrations
from lab.stack.model import Stack

_T = TypeVar("_T")
_PATIENCE = 1.0  # seconds for MongoDB to answer: a view that waits longer shows nothing
_BROKEN = (redis.RedisError, PyMongoError, OSError)


@dataclass(frozen=True)
class Stream:
    """One stream: entries in it, and those delivered to a consumer but not acknowledged."""

    name: str
    length: int
    pending: int

    @property
    def holds_dead_letters(self) -> bool:
        """True for a stream of entries that were given up: nothing will drain it."""
        return "dead-letter" in self.name


@dataclass(frozen=True)
class Snapshot:
    """What both stores held. A number is None when its store did not answer."""

    movie_keys: int | None
    documents: int | None
    streams: list[Stream] = field(default_factory=list)
    registrations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def queued(self) -> int:
        """Entries in all streams but those of dead letters."""
        return sum(stream.length for stream in self.streams if not stream.holds_dead_letters)

    @property
    def dead_letters(self) -> int:
        """Entries that a recipe gave up."""
        return sum(stream.length for stream in self.streams if stream.holds_dead_letters)

    @property
    def pending(self) -> int:
        """Entries delivered but not acknowledged, in all streams."""
        return sum(stream.pending for stream in self.streams)

    def __str__(self) -> str:
        lines = [
            f"  Redis    {_number(self.movie_keys)} keys {KEY_PREFIX}*",
            f"  MongoDB  {_number(self.documents)} documents in {COLLECTION}",
        ]
        for stream in self.streams:
            lines.append(
                f"  stream   {stream.name}: {stream.length} entries, {stream.pending} pending"
            )
        if not self.streams:
            lines.append("  stream   none")
        for registration in self.registrations:
            lines.append("  " + _describe(registration))
        if not self.registrations:
            lines.append("  registrations: none")
        lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(lines)

    def causes(self) -> list[str]:
        """Return what, by the look of it, keeps a write from arriving: the likeliest first."""
        found = []
        if self.movie_keys is None:
            found.append("Redis's front door does not answer: lab.status(), then lab.up().")
        if self.documents is None:
            found.append("MongoDB does not answer: lab.start('mongo'), or lab.up().")
        for registration in self.registrations:
            if error := registration["RegistrationData"].get("lastError"):
                found.append(f"A registered function failed: {str(error)[-300:]}")
            if registration["RegistrationData"].get("status") in ("PAUSED", "ABORTED"):
                found.append(f"Registration {registration['id']} is paused or aborted.")
        if self.movie_keys is not None and not self.registrations:
            found.append(
                "No recipe is registered with Gears: lab.prepare('write-behind'). (A worker of "
                "recipes/streams is none: is its process running?)"
            )
        if self.dead_letters:
            found.append(
                f"{self.dead_letters} entries are dead letters: their field `error` says why."
            )
        if self.queued and not found:
            found.append("Entries wait in the stream: the recipe is slow, or its worker is stuck.")
        return found or ["Nothing looks broken; the condition itself may never become true."]


def take(stack: Stack) -> Snapshot:
    """Look at both stores now. Never raises for a store that is down: that is what it reports."""
    problems: list[str] = []

    def ask(what: str, question: Callable[[], _T], default: _T) -> _T:
        try:
            return question()
        except _BROKEN as problem:
            problems.append(f"{what}: {str(problem).splitlines()[0][:160]}")
            return default

    return Snapshot(
        movie_keys=ask("Redis", lambda: count_movies(stack.redis), None),
        documents=ask("MongoDB", lambda: _count_documents(stack), None),
        streams=ask("streams", lambda: streams(stack.redis), []),
        registrations=ask("RG.DUMPREGISTRATIONS", lambda: registrations(stack.redis), []),
        problems=problems,
    )


def count_movies(client: Redis) -> int:
    """Count the movies' JSON documents, without blocking Redis."""
    keys = client.scan_iter(match=KEY_PREFIX + "*", count=1000, _type="ReJSON-RL")
    return sum(1 for _ in keys)


def streams(client: Redis) -> list[Stream]:
    """Return every stream in Redis, by name."""
    names = sorted(client.scan_iter(count=1000, _type="stream"))
    return [Stream(name, client.xlen(name), _pending(client, name)) for name in names]


def _pending(client: Redis, name: str) -> int:
    groups: list[dict[str, Any]] = client.xinfo_groups(name)
    return sum(int(group["pending"]) for group in groups)


def _count_documents(stack: Stack) -> int:
    with pymongo.timeout(_PATIENCE):
        return stack.db[COLLECTION].count_documents({})


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _describe(registration: dict[str, Any]) -> str:
    data = registration["RegistrationData"]
    told = f"{registration['reader']} {registration['id'][-6:].lstrip('0')}:"
    told += f" {data.get('numSuccess')} of {data.get('numTriggered')} runs succeeded"
    if data.get("numFailures"):
        told += f", {data['numFailures']} failed"
    if error := data.get("lastError"):
        told += f", last error: {str(error)[-300:]}"
    return told

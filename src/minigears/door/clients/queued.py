"""Commands inside a transaction that need more than Redis. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from minigears.protocol import Command


@dataclass(frozen=True)
class Queued:
    """A command between MULTI and EXEC that needs more than Redis."""

    argv: Command
    place: int
    """Where its reply stands in the array of `EXEC`, from 0."""
    mark: bytes | None = None
    """What its stand-in answers; without one Redis has it itself, and its reply may be overridden."""

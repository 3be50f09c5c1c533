"""What the app needs from whoever starts it. It imports nothing of the lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

DATABASE = "dbSpeedMernDemo"
MOVIES, PAUSES = "movies", "pauses"
"""The collections, and what a pause is kept under: one document for each viewer and movie."""


def _nothing(_: str | None) -> None:
    """Register nothing: for tests of modes that need no Gears."""


@dataclass(frozen=True)
class Surroundings:
    """Addresses, and the few things that only the starter of the stack can do.

    `register` makes one recipe of Gears the only one ("write-behind", "write-through"), or with
    None leaves nothing registered. `switch_mongo` stops (False) and starts (True) MongoDB, where
    that can be done. `hosts` are names in the Host header that are answered, besides loopback's.
    `log` is the file that a worker of the app writes into; without one, standard error.
    """

    redis_url: str
    redis_direct_url: str
    mongo_url: str
    register: Callable[[str | None], None] = _nothing
    switch_mongo: Callable[[bool], None] | None = None
    hosts: tuple[str, ...] = field(default=())
    log: Path | None = None

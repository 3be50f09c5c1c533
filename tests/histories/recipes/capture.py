"""Capture at the door: clients that know nothing of write-behind, minigears, and the worker of recipes/streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.histories.recipes.gears import Door
from tests.histories.recipes.plainclient import plain_client
from tests.histories.recipes.stores import Mongo
from tests.histories.recipes.streams import Streams
from tests.histories.verdict.history import Kind
from tests.histories.world.clients import Do
from tests.histories.world.parts import Part
from tests.histories.world.proxy import Proxy


class Capture(Streams):
    """See `Recipe`. What expires is not captured: the door's documentation says so."""

    kinds = frozenset(set(Kind) - {Kind.EXPIRE, Kind.PERSIST})

    def _serve(self, folder: Path) -> tuple[dict[str, Part], dict[str, Proxy], Callable[[], str]]:
        parts, lines, url = super()._serve(folder)
        queue = f"wb:{self.partitions.count}:100000:{64 << 20}"
        door = Door(self._redis, folder, "--capture", self.space, "--capture-queue", queue)
        self._start(door)
        del lines["clients to redis"]
        lines["clients to door"] = Proxy(door.port)
        return {**parts, "door": door}, lines, url

    def connect(self) -> Do:
        """Return a client that sends each request once."""
        return plain_client(self.world.lines["clients to door"].port)


def on_mongodb() -> Capture:
    """Return it on MongoDB."""
    return Capture("capture", Mongo)

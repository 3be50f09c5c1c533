"""Capture at the door: a client that knows nothing of write-behind, minigears, and the streams worker."""

from __future__ import annotations

import sys
from typing import Any

from tests.recipes.twelve.contenders.gears import GearsProducer
from tests.recipes.twelve.contenders.streams import PARTITIONS, PREFIX, StreamsOnMongo
from tests.recipes.twelve.interface import Producer
from tests.recipes.twelve.world.servers import Process

_READY = "minigears ready on 127.0.0.1:"


class PlainProducer(GearsProducer):
    """Any Redis client, writing JSON under the keys of the streams recipe."""

    prefix = PREFIX


class DoorCapture(StreamsOnMongo):
    """`minigears --capture Movie:` before Redis; its queue and its worker are those of recipes/streams."""

    name = "door-capture"
    title = "capture at the door, MongoDB"
    needs_json = True
    door: Process | None = None

    def redis_port(self) -> int:
        """The door's; it starts when first asked for, as the cap may change until then."""
        if self.door is None:
            limits = f"wb:{PARTITIONS.count}:{self.cap // PARTITIONS.count}:{64 << 20}"
            words = [sys.executable, "-m", "minigears", "--listen", "127.0.0.1:0"]
            words += ["--redis", f"redis://127.0.0.1:{self.world.redis.port}"]
            words += ["--capture", PREFIX, "--capture-queue", limits]
            self.door = self.world.start(words, says=_READY)
        return int(self.door.log.read_text().partition(_READY)[2].split()[0])

    def producer(self, port: int | None = None, patience: float = 0.0) -> Producer:
        client: Any = self.world.redis.client(port or self.redis_port())
        return PlainProducer(client, patience)

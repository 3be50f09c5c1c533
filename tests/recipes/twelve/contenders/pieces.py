"""A recipe that consists of four functions, as notebook 14 makes one; the rest is lent to it here.

The functions come pickled from the notebook: `change`, `read`, `write` and `acknowledge`, as its first
table says. Lent are the loop around them, growing pauses in an outage, SIGTERM, the stream of dead
letters, figures, and the comparison of the stores: work that holds no idea of the twelve in itself.
"""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any, ClassVar

from redis import RedisError

from tests.recipes.twelve.contenders import own_worker
from tests.recipes.twelve.contenders.own_worker import QUEUE, Pieces, load
from tests.recipes.twelve.contenders.small import Small
from tests.recipes.twelve.interface import Document, Producer
from tests.recipes.twelve.world.servers import Process


class OwnProducer(Producer):
    """Calls `change`; tries again what has no reply, under the same number."""

    def __init__(self, redis: Any, pieces: Pieces, cap: int, patience: float, prefix: str):
        self.redis, self.pieces, self.cap = redis, pieces, cap
        self.patience, self.prefix = patience, prefix

    def put(self, id: str, document: Document) -> None:
        self.put_text(id, json.dumps(document))

    def put_text(self, id: str, text: str) -> None:
        self.change(id, "JSON.SET", "$", text)

    def increment(self, id: str, field: str, by: int) -> None:
        self.change(id, "JSON.NUMINCRBY", f"$.{field}", str(by))

    def remove(self, id: str, field: str) -> None:
        self.change(id, "JSON.DEL", f"$.{field}")

    def delete(self, id: str) -> None:
        self.change(id, "DEL")

    def put_durably(self, id: str, document: Document) -> None:
        self.put(id, document)
        assert self.redis.execute_command("WAITAOF", 1, 0, 20_000)[0] == 1

    def change(self, id: str, *command: str) -> None:
        once, deadline = f"once:{uuid.uuid4()}", time.monotonic() + self.patience
        while True:
            try:
                self.pieces["change"](
                    self.redis, QUEUE, self.prefix + id, list(command), self.cap, once
                )
                return
            except RedisError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(random.uniform(0, 0.05))


class Own(Small):
    """Four functions as a recipe under test. A subclass names the file with them."""

    name = "own"
    title = "a recipe of four functions"
    table = "reviews"
    prefix = "Review:"
    needs_json = True
    pickled: ClassVar[Path]

    def start_worker(self, version: int = 1) -> Process:
        words = [sys.executable, "-m", own_worker.__name__, str(self.pickled)]
        words += [str(self.world.redis.port), self.world.database_url(self.database), self.table]
        return self.world.start(words, says="started")

    def producer(self, port: int | None = None, patience: float = 0.0) -> Producer:
        redis = self.world.redis.client(port, decode_responses=True)
        return OwnProducer(redis, load(self.pickled), self.cap, patience, self.prefix)

    def text(self, key: str) -> str | None:
        text: str | None = self.redis.execute_command("JSON.GET", key)
        return text

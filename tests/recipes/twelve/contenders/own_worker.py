"""A worker's process around four functions of a notebook (`pieces.py`). It imports little: it starts often.

python -m tests.recipes.twelve.contenders.own_worker FILE REDIS_PORT MONGO_URL COLLECTION
"""

from __future__ import annotations

import pickle
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis import Redis, RedisError, ResponseError

from tests.recipes.twelve.contenders.ids import version_of

QUEUE, DEAD, GROUP = "queue", "queue:dead", "workers"
IDLE = 0.02
"""Seconds between two looks into an empty queue."""
MOST = 2.0
"""Seconds between two attempts in an outage, at most."""

Pieces = dict[str, Callable[..., Any]]


def load(file: Path) -> Pieces:
    """The functions that a notebook has pickled."""
    pieces: Pieces = pickle.loads(file.read_bytes())
    return pieces


class OwnWorker:
    """The loop around `read`, `write` and `acknowledge`."""

    def __init__(self, redis: Any, reviews: Any, pieces: Pieces):
        self.redis, self.reviews, self.pieces = redis, reviews, pieces
        self.stopping = False

    def run(self) -> None:
        wait = 0.1
        while not self.stopping:
            try:
                time.sleep(0 if self.turn() else IDLE)
                wait = 0.1
            except (RedisError, PyMongoError) as problem:
                print(f"{type(problem).__name__}: {str(problem)[:300]}", flush=True)
                time.sleep(random.uniform(wait / 2, wait))
                wait = min(2 * wait, MOST)

    def turn(self) -> bool:
        """Work on one batch; returns whether there was one."""
        entries = self.pieces["read"](self.redis, QUEUE)
        if not entries:
            return False
        for entry_id, entry, error in self.pieces["write"](self.reviews, entries) or ():
            letter = {"version": version_of(entry_id), **entry, "error": str(error), "attempts": 1}
            self.redis.xadd(DEAD, letter)
        self.pieces["acknowledge"](self.redis, QUEUE, entries)
        return True


def main() -> None:
    """A worker's process."""
    file, port, url, collection = sys.argv[1:]
    redis = Redis(port=int(port), decode_responses=True)
    try:
        redis.xgroup_create(QUEUE, GROUP, "0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    client: MongoClient[Any] = MongoClient(url, serverSelectionTimeoutMS=500)
    worker = OwnWorker(redis, client.get_default_database()[collection], load(Path(file)))
    signal.signal(signal.SIGTERM, lambda *_: setattr(worker, "stopping", True))
    print("started", flush=True)
    try:
        worker.run()
    except Exception:
        traceback.print_exc()  # the last line is what a learner is told
        sys.exit(1)


if __name__ == "__main__":
    main()

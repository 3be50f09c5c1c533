"""Worker, database and Redis are killed at random moments: nothing acknowledged is lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from tests.recipes.twelve.contenders.streams import StreamsOnMongo, StreamsOnPostgres
from tests.recipes.twelve.interface import Recipe
from tests.recipes.twelve.judge import Judge, document
from tests.recipes.twelve.world import World

KEYS = 50


class Writer(threading.Thread):
    """Writes growing numbers to keys, and remembers of each what was acknowledged and what tried."""

    def __init__(self, judge: Judge):
        super().__init__()
        self.judge, self.enough = judge, threading.Event()
        self.acknowledged: dict[str, int] = {}
        self.tried: dict[str, int] = {}
        self.count = 0
        self.last_error: Exception | None = None

    def run(self) -> None:
        producer = self.judge.recipe.producer(patience=30)
        while not self.enough.is_set():
            self.count += 1
            id = str(self.count % KEYS)
            self.tried[id] = self.count
            try:
                producer.put(id, document(id, take=self.count))
            except Exception as error:  # Redis is away, or full: not acknowledged
                self.last_error = error
                continue
            self.acknowledged[id] = self.count


def kill_at_random(judge: Judge, kills: int, seed: int) -> Writer:
    """Kill one of the three at random moments while somebody writes, and start it again."""
    dice = random.Random(seed)
    world, writer = judge.world, Writer(judge)
    worker = judge.recipe.start_worker()

    def kill_worker() -> None:
        nonlocal worker
        worker.kill()
        worker = judge.recipe.start_worker()

    def kill_database() -> None:
        judge.database.kill()
        judge.database.start()

    def kill_redis() -> None:
        world.redis.kill()
        world.redis.start()

    deeds: list[Callable[[], None]] = [kill_worker, kill_database, kill_redis]
    writer.start()
    try:
        for number in range(kills):
            until = writer.count + dice.randrange(20, 300)
            judge.wait(
                lambda until=until: writer.count >= until,
                lambda: f"the producer stands still: {writer.last_error}",
            )
            (deeds[number] if number < 3 else dice.choice(deeds))()
    finally:
        writer.enough.set()
        writer.join()
    return writer


def nothing_is_lost(world: World, recipe: type[Recipe], kills: int) -> None:
    world.begin(recipe.database)
    try:
        judge = Judge(recipe(world), 120)
        writer = kill_at_random(judge, kills, seed=kills)
        judge.drain()
        judge.same(judge.recipe.in_redis(), f"{kills} kills")
        stored = judge.recipe.stored()
        for id, take in writer.acknowledged.items():
            assert take <= stored[id]["take"] <= writer.tried[id], f"{id} has lost {take}"
        assert judge.recipe.dead_letters() == []
    finally:
        world.end()


BOTH = pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(r, id=r.name, marks=pytest.mark.xdist_group(f"twelve-{r.name}"))
        for r in (StreamsOnMongo, StreamsOnPostgres)
    ],
)


@pytest.mark.soak
@BOTH
def test_a_few_kills_lose_nothing(world: World, recipe: type[Recipe]) -> None:
    nothing_is_lost(world, recipe, 3)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@BOTH
def test_a_hundred_kills_lose_nothing(world: World, recipe: type[Recipe]) -> None:
    nothing_is_lost(world, recipe, 100)

"""Kill minigears, Redis and the database under load: what was acknowledged is in both stores."""

from __future__ import annotations

import functools
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import pytest
import redis

from tests.minigears.delivery.load import Load, in_mongo, in_redis
from tests.minigears.realgears import SHARED_CACHE, MiniGears
from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import RedisServer, wait_for
from tests.plugins.sandbox import REPOSITORY

RECIPE = REPOSITORY / "recipes/gears/movies_write_behind.py"
REQUIREMENTS = ("rgsync==1.2.0", "pymongo==3.12.0")
STREAMS = "_*-stream-*"
DEAD_LETTERS = "_movies-stream-dead-letters-{06S}"

VICTIMS = (
    ("minigears",),
    ("redis",),
    ("mongo",),
    ("executor",),
    ("minigears", "redis"),
    ("minigears", "redis", "mongo"),
)


RGSYNC = """
from rgsync import RGJSONWriteBehind
from rgsync.Connectors import MongoConnector, MongoConnection
connection = MongoConnection('', '', '', '', {url!r})
connector = MongoConnector(connection, 'dbSpeedMernDemo', 'movies', 'movieId')
RGJSONWriteBehind(GB, keysPrefix='MovieEntity', connector=connector, name='Movies',
                  version='99.99.99', onFailedRetryInterval=1)
"""
"""rgsync as its README registers it. It asks the database for no journal, so that is not killed."""
RGSYNC_VICTIMS = [victims for victims in VICTIMS if "mongo" not in victims]
RGSYNC_TITLES = ('Say "Hi"', "Amélie")
"""An apostrophe would stop its stream for good."""


@dataclass
class Stack:
    """What can be killed."""

    redis: RedisServer
    gears: MiniGears
    mongo: MongoServer

    def kill(self, victim: str) -> None:
        """SIGKILL; nothing has time to tidy up."""
        if victim == "redis":
            self.redis.stop(signal.SIGKILL)
        elif victim == "mongo":
            self.mongo.stop(signal.SIGKILL)
        elif victim == "executor":
            if executor := self.gears.executor:  # else it is being started
                executor.kill()
        else:
            assert self.gears.process is not None
            self.gears.process.kill()
            self.gears.process.wait()

    def start(self, victim: str) -> None:
        """Start it again (an executor is started by its minigears)."""
        {"redis": self.redis, "mongo": self.mongo, "minigears": self.gears}[victim].start()


@pytest.fixture
def stack(
    start_redis: Callable[..., RedisServer], tmp_path: Path, free_port: int
) -> Iterator[Stack]:
    """Redis that has on disk what it has acknowledged, minigears, the database."""
    redis_server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    mongo = MongoServer(tmp_path, free_port)
    mongo.start()
    gears = MiniGears(redis_server, tmp_path, "--cache", str(SHARED_CACHE))
    gears.start()
    yield Stack(redis_server, gears, mongo)
    gears.stop()
    mongo.stop(signal.SIGKILL)


def crash(stack: Stack, load: Load, victims: tuple[str, ...], rng: random.Random) -> None:
    """Kill at a random point of the load; a database stays away for some more writes."""
    _let_write(load, rng.randint(1, 60))
    for victim in victims:
        stack.kill(victim)
    if victims == ("mongo",):
        _let_write(load, rng.randint(1, 60))
    with ThreadPoolExecutor() as pool:
        database = pool.submit(stack.start, "mongo") if "mongo" in victims else None
        for victim in ("redis", "minigears"):  # in this order: the second needs the first
            if victim in victims:
                stack.start(victim)
        if database:
            database.result()


def _let_write(load: Load, count: int) -> None:
    goal = load.acknowledged + count
    wait_for(lambda: load.acknowledged >= goal, 60, lambda: f"{goal} writes; {load.last_errors}")


def check(stack: Stack, load: Load) -> None:
    """Wait until nothing is on its way, then compare document by document."""
    with stack.gears.client() as client, stack.gears.client(db=15) as journal:
        wait_for(lambda: not journal.xlen("__minigears__:intents"), 60, "an empty journal")
        state = functools.partial(_state_of_the_stream, stack, client)
        [stream] = set(client.keys(STREAMS)) - {DEAD_LETTERS}
        wait_for(lambda: not client.xlen(stream), 120, state)
        redis_documents = in_redis(client)
        entries = client.xinfo_stream(stream)["entries-added"]
        assert not client.exists(DEAD_LETTERS)
    acknowledged = load.documents
    assert {key: redis_documents.get(key) for key in acknowledged} == acknowledged
    with stack.mongo.client() as client:
        assert in_mongo(client.dbSpeedMernDemo.movies) == redis_documents
    assert None in acknowledged.values(), "the load has deleted nothing"
    assert entries >= load.events, "a write without its function"
    print(f"{load.acknowledged} acknowledged; sent again: {load.last_errors}")
    print(
        f"{load.writes} writes of keys, {entries} entries: {entries - load.writes} are duplicates"
    )


def _state_of_the_stream(stack: Stack, client: redis.Redis) -> str:
    said = (
        f"an empty stream; {client.keys(STREAMS)}\n{client.execute_command('RG.DUMPREGISTRATIONS')}"
    )
    return f"{said}\n{stack.gears.log[-5000:]}"


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, marks=pytest.mark.timeout(180)),
        pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
@pytest.mark.usefixtures("needs_json")
def test_nothing_acknowledged_is_lost(stack: Stack, kills: int) -> None:
    with stack.gears.client() as client:
        client.execute_command("RG.CONFIGSET", "mongoUrl", stack.mongo.url)
    stack.gears.run(RECIPE.read_text(), "REQUIREMENTS", *REQUIREMENTS)
    load = Load(stack.gears, seed=str(kills))
    kill_under(load, stack, VICTIMS, kills)
    check(stack, load)


@pytest.mark.usefixtures("needs_json")
@pytest.mark.parametrize(
    "kills", [3, pytest.param(30, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_nothing_acknowledged_is_lost_with_rgsync_itself(stack: Stack, kills: int) -> None:
    url = f"{stack.mongo.url}/?serverSelectionTimeoutMS=500"
    stack.gears.run(RGSYNC.format(url=url), "REQUIREMENTS", *REQUIREMENTS)
    load = Load(stack.gears, seed=f"rgsync {kills}", titles=RGSYNC_TITLES)
    kill_under(load, stack, RGSYNC_VICTIMS, kills)
    check(stack, load)


def kill_under(load: Load, stack: Stack, victims: Sequence[tuple[str, ...]], kills: int) -> None:
    """Kill so often, each of `victims` in turn, in an order by chance."""
    rng = random.Random(kills)
    rounds = chain.from_iterable(rng.sample(victims, len(victims)) for _ in repeat(None))
    with load:
        for _, which in zip(range(kills), rounds, strict=False):
            crash(stack, load, which, rng)
        _let_write(load, 20)

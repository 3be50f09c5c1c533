"""A machine whose clock is a day off runs minigears: nothing expires, is missing, or goes back for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import lab
from lab.cells.prepare import recipes
from lab.stack.model import Stack
from tests.recipes.gears.families import OURS, in_mongo, put, register, settle
from tests.recipes.gears.test_scripts import reconcile
from tests.wallclock import WallClock, needs_steppable_clocks

pytestmark = pytest.mark.xdist_group("recipes")

THROUGH = (recipes() / "movies_write_through.py").read_text()
OFF = timedelta(hours=25)


@pytest.fixture(params=[-1, 1], ids=["behind", "ahead"])
def off(request: pytest.FixtureRequest, stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """A stack whose minigears has a wrong clock. That of Redis and of MongoDB is right."""
    needs_steppable_clocks()
    clock = WallClock(tmp_path, "minigears")
    clock.step(request.param * OFF.total_seconds())
    lab.kill("minigears")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clock.variables.items():
            patch.setenv(name, value)
        lab.start("minigears")
    results, _ = lab.run_gears("import time\nGB('ShardsIDReader').map(lambda _: time.time()).run()")
    assert abs(float(results[0]) - datetime.now().timestamp()) > 3600, "its clock is right"
    yield stack
    lab.kill("minigears")
    lab.start("minigears")


def reads_find_what_has_not_expired(off: Stack) -> None:
    script = (recipes() / "movies_read.py").read_text()
    lab.run_gears(script, ["pymongo==3.12.0"])
    hour = timedelta(hours=1)
    off.db.movies.insert_many([
        {"movieId": "lives", "_expires": datetime.utcnow() + hour},
        {"movieId": "expired", "_expires": datetime.utcnow() - hour},
    ])  # fmt: skip
    ask = off.redis.execute_command
    assert ask("RG.TRIGGER", "ReadMovie", "lives")
    assert not ask("RG.TRIGGER", "ReadMovie", "expired")


@pytest.mark.parametrize("recipe", [OURS, THROUGH], ids=["write-behind", "write-through"])
def test_a_movie_that_lives_for_an_hour_is_in_mongodb_for_an_hour(off: Stack, recipe: str) -> None:
    register(off, recipe)
    put(off.redis, "1", {"movieId": "1"})
    off.redis.expire("MovieEntity:1", 3600)
    put(off.redis, "2", {"movieId": "2"})
    movies = off.db.movies
    lab.wait_until(lambda: movies.count_documents({"_expires": {"$exists": True}}) == 1, "it", 60)
    [ends] = [one["_expires"] for one in movies.find({"movieId": "1"})]
    assert timedelta(minutes=30) < ends - datetime.utcnow() < timedelta(minutes=61)
    if recipe is OURS:
        settle(off)
        assert reconcile("report") == ["0 differences, 0 to be repaired"]
    assert len(in_mongo(off)) == 2
    reads_find_what_has_not_expired(off)


def test_a_write_past_a_stream_that_takes_nothing_neither_hides_nor_is_hidden(off: Stack) -> None:
    register(off, OURS)
    put(off.redis, "1", {"movieId": "1", "n": 0})
    settle(off)
    register(off, OURS.replace("return execute('EVAL', script", "return execute('EVALX', script"))
    for number in (1, 2):
        put(off.redis, "1", {"movieId": "1", "n": number})
        assert in_mongo(off) == [{"movieId": "1", "n": number}]
    register(off, OURS)
    put(off.redis, "1", {"movieId": "1", "n": 3})
    settle(off)
    assert in_mongo(off) == [{"movieId": "1", "n": 3}]
    off.redis.delete("MovieEntity:1")
    settle(off)
    [stone] = off.db.movies_deleted.find({"_id": "1"})
    assert abs(stone["at"] - datetime.utcnow()) < timedelta(hours=1), "a late write brings it back"

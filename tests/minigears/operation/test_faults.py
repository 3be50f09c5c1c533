"""Each loop of the door, when something in it raises: told, counted, and everything goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from minigears.loops import EXIT_STATUS
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

COUNT = (
    "GB().foreach(lambda x: execute('INCR', 'n:' + x['key'])).register(prefix='k:*', mode='sync')"
)
TIMES = 2  # once with each kind of error


@pytest.fixture
def faulty(start_redis, tmp_path) -> Iterator[MiniGears]:
    """A minigears that fails where it is told to."""
    gears = MiniGears(start_redis("--appendonly", "no"), tmp_path)
    (tmp_path / "faults").mkdir()
    gears.program = [str(Path(__file__).with_name("faulty.py")), str(tmp_path / "faults")]
    gears.start()
    yield gears
    gears.stop()


def switch(gears: MiniGears, place: str, times: int = 1) -> Path:
    file = gears.directory / "faults" / place
    file.with_suffix(".new").write_text(str(times))
    return file.with_suffix(".new").rename(file)


def works(gears: MiniGears, key: str) -> bool:
    """Whether a write runs its function before it is answered."""
    with contextlib.suppress(redis.RedisError), gears.client(socket_timeout=20) as client:
        client.set(key, 1)
        return int(client.get(f"n:{key}") or 0) >= 1
    return False


def provoke(gears: MiniGears, place: str) -> None:
    """Have this place called."""
    if place in ("reconnect", "recover"):
        with contextlib.closing(gears.server.connect()) as direct:
            direct.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "YES")
    elif place == "spawn":
        if executor := gears.executor:
            executor.kill()
    else:
        with contextlib.suppress(redis.RedisError), gears.client(socket_timeout=5) as client:
            client.set("k:provoked", 1)
            client.execute_command("RG.PYEXECUTE", f"{COUNT}  # once more")


def again(gears: MiniGears, place: str) -> None:
    """Have it called once more, unless it is called by itself until it succeeds."""
    if place not in ("reconnect", "recover", "beat", "spawn"):
        provoke(gears, place)


@pytest.mark.parametrize(
    "place",
    [
        "beat",
        "reconnect",
        "recover",
        "interest",
        "spawn",
        "event",
        "send",
        "frame",
        "reply",
        "serve",
    ],
)
def test_it_goes_on(faulty, place):
    faulty.run(COUNT)
    assert works(faulty, "k:before")
    file = switch(faulty, place, TIMES)

    provoke(faulty, place)
    wait_for(lambda: not file.exists() or again(faulty, place), 60, "the fault")
    wait_for(lambda: works(faulty, "k:after"), 60, lambda: faulty.log)
    assert psutil.pid_exists(faulty.process.pid)
    assert "failed" in faulty.log
    with faulty.client() as client:
        wait_for(lambda: client.info("minigears")["minigears_loops_down"] == 0, what="the loop")
        told = client.info("minigears")
    assert told["minigears_loop_failures"] >= TIMES
    assert "Error" in told["minigears_last_failure"]


@pytest.mark.parametrize("place", ["beat", "recover"])
def test_what_cannot_go_on_ends_the_process(faulty, place):
    switch(faulty, place, 1000)
    if place == "recover":
        faulty.server.connect().call("CLIENT", "KILL", "TYPE", "normal")
    assert faulty.process.wait(60) == EXIT_STATUS
    assert "the process ends" in faulty.log
    (faulty.directory / "faults" / place).unlink()
    faulty.start()
    faulty.run(COUNT)
    assert works(faulty, "k:1")


def test_an_executor_whose_link_is_lost_is_followed_by_another(faulty):
    """What it says cannot be read any more: it would never be asked again."""
    executor = faulty.executor
    switch(faulty, "frame")
    provoke(faulty, "frame")
    wait_for(lambda: not executor.is_running(), 60, "the end of the executor")
    wait_for(lambda: faulty.executor is not None, 60, "another one")

"""The schedule of faults, and what only Redis can suffer: a full disk, a power cut, a stranger."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError

from recipes.streams import Partitions, WriteBehind
from tests.histories.world.faults import (
    STEPS,
    TO_LINES,
    TO_PARTS,
    Deed,
    Plan,
    Trouble,
    schedule,
    sufferable,
)
from tests.histories.world.parts import World, freeze, thaw
from tests.histories.world.redisserver import RedisServer
from tests.recipes.servers import wait_for
from tests.wallclock import needs_steppable_clocks


def test_a_schedule_is_its_seed_s_and_strikes_each_target_with_what_it_can_suffer() -> None:
    parts = {"redis": [*TO_PARTS, Deed.POWER], "worker": list(TO_PARTS)}
    lines = {"line": TO_LINES}
    plans = schedule(7, 200, 3.0, parts, lines)
    assert plans == schedule(7, 200, 3.0, parts, lines)
    assert {plan.deed for plan in plans} == {*TO_PARTS, *TO_LINES, Deed.POWER}
    assert {plan.target for plan in plans if plan.deed is Deed.POWER} == {"redis"}
    assert all(plan.deed in {**parts, **lines}[plan.target] for plan in plans)
    assert {plan.deed for plan in schedule(7, 20, 3.0, parts, lines, {Deed.CUT})} == {Deed.CUT}
    assert schedule(7, 20, 3.0, parts, {}, {Deed.CUT}) == []


def test_a_power_cut_sets_a_clock_back_and_a_running_part_has_it_set_either_way() -> None:
    parts = {"redis": [*TO_PARTS, Deed.BEHIND], "worker": [*TO_PARTS, Deed.CLOCK]}
    plans = schedule(7, 400, 3.0, parts, {})
    steps = {deed: {plan.by for plan in plans if plan.deed is deed} for deed in Deed}
    assert steps.pop(Deed.BEHIND) == {-by for by in STEPS}
    assert steps.pop(Deed.CLOCK) == {by * sign for by in STEPS for sign in (1, -1)}
    assert set().union(*steps.values()) == {0.0}


def test_who_was_frozen_is_woken_though_its_part_has_lost_it() -> None:
    """An executor whose door was killed meanwhile (seed 101 of gears): the door waited for its end."""
    words = [sys.executable, "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as frozen:
        part = _Part(frozen)
        number = freeze(part)
        part.process = None
        thaw(number)
        frozen.communicate(b"\n", timeout=60)
        assert frozen.returncode == 0


def test_a_fault_that_cannot_be_ended_ends_the_requests() -> None:
    failed = threading.Event()
    plan = Plan(0.0, 0.0, Deed.KILL, "part")
    trouble = Trouble(World({"part": _Part()}, {}), [plan], time.monotonic, failed.set)
    trouble.start()
    assert failed.wait(60)
    with pytest.raises(OSError, match="does not start"):
        trouble.finish()


class _Part:
    def __init__(self, process: subprocess.Popen[bytes] | None = None):
        self.process = process

    def start(self) -> None:
        raise OSError("does not start")

    def stop(self, how: int) -> None:
        pass


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], RedisServer]]:
    started = []

    def start(fsync: str) -> RedisServer:
        started.append(RedisServer(tmp_path, fsync))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop(signal.SIGKILL)


def test_a_power_cut_takes_some_of_the_last_second_once(
    start: Callable[[str], RedisServer],
) -> None:
    server = start("everysec")
    redis = server.client()
    redis.set("old", 1)
    later = redis.time()[0] + 3
    wait_for(lambda: redis.time()[0] >= later, what="the write to be old")

    def some_are_lost() -> bool:  # unless the machine slept for a second in between
        for n in range(100):
            redis.set(f"young:{n}", n)
        server.power_cut(0)
        return not redis.exists("young:99")

    wait_for(some_are_lost, what="a power cut that takes something")
    left = redis.dbsize()
    assert redis.exists("old")
    server.power_cut(0)
    assert redis.dbsize() == left


def test_a_power_cut_may_set_the_clock_back_and_nothing_else_does(
    start: Callable[[str], RedisServer],
) -> None:
    needs_steppable_clocks()
    server = start("everysec")
    able = sufferable(server)
    assert Deed.BEHIND in able
    assert Deed.CLOCK not in able
    redis, world = server.client(), World({"redis": server}, {})
    plan = Plan(0.0, 0.0, Deed.BEHIND, "redis", -3600.0)
    written = redis.xadd("s", {"n": 1})
    trouble = Trouble(world, [plan], time.monotonic, lambda: None)
    trouble.start()
    trouble.finish()
    assert [(fault.what, fault.by) for fault in trouble.faults] == [(Deed.BEHIND.value, -3600.0)]
    assert redis.time()[0] < time.time() - 3000
    redis.delete("s")
    assert redis.xadd("s", {"n": 2}) < written
    world.calm()
    assert redis.time()[0] > time.time() - 600


def test_a_power_cut_does_not_bring_back_what_was_flushed(
    start: Callable[[str], RedisServer],
) -> None:
    server = start("everysec")
    redis = server.client()
    redis.set("k", 1)
    server.flush(0)
    server.power_cut(0)
    assert redis.dbsize() == 0


def test_a_full_disk_ends_a_redis_that_waits_for_it_and_it_is_started_again(
    start: Callable[[str], RedisServer],
) -> None:
    server = start("always")
    assert Deed.POWER not in server.deeds
    redis = server.client(retry=None)
    redis.set("k", 1)
    first = server.process
    assert first is not None
    with server.without_room():
        with pytest.raises(ConnectionError):
            redis.set("k", 2)
        wait_for(lambda: first.poll() is not None, what="Redis to end")
    assert server.process is not first
    assert redis.get("k") == b"1"


def test_a_power_cut_within_a_write_leaves_none_of_it_at_any_later_start(
    start: Callable[[str], RedisServer],
) -> None:
    """As in seed 210701665 of streams-everysec: the document was there after the second start, without its entry."""
    server, partitions = start("everysec"), Partitions(1)
    WriteBehind(server.client(), partitions).set("half", {"a": 1})
    server.stop(signal.SIGTERM)
    file = server.file
    written = file.read_bytes()
    file.write_bytes(written[: written.rindex(b"XADD") + 2])
    server.start()
    WriteBehind(server.client(), partitions).set("later", {"a": 2})
    server.stop(signal.SIGTERM)
    server.start()
    redis = server.client()
    [partition] = partitions.all()
    entries = {fields[b"key"] for _, fields in redis.xrange(partition.stream)}
    assert entries == {b"later"}
    assert [key for key in (b"half", b"later") if redis.exists(key)] == [b"later"]

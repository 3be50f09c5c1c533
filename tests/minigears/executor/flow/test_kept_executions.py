"""How many executions are kept, and which go."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.executor.flow.started import start
from tests.minigears.realredis import wait_for


def test_so_many_are_kept(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutions", "3")
    executions = []
    for _ in range(5):
        executions.append(start(door, "GB('ShardsIDReader').run()"))
        door.call("RG.GETRESULTSBLOCKING", executions[-1])
    kept = [row[1] for row in door.call("RG.DUMPEXECUTIONS")]
    assert kept == executions[:1:-1]


def test_what_was_dropped_takes_nobodys_room(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutions", "3")
    first, second, third = (start(door, "GB('ShardsIDReader').run()") for _ in range(3))
    for execution in (first, second, third):
        door.call("RG.GETRESULTSBLOCKING", execution)
    door.call("RG.DROPEXECUTION", third)
    for _ in range(3):
        door.results("GB('ShardsIDReader').run()")  # dropped, too, once its client has the results
    assert [row[1] for row in door.call("RG.DUMPEXECUTIONS")] == [second, first]


def test_those_beyond_a_registrations_limit_take_nobodys_room(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutions", "3", "MaxExecutionsPerRegistration", "1")
    execution = start(door, "GB('ShardsIDReader').run()")
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    for _ in range(5):
        door.fire(door.ids[0], b"k", "set")
    assert [row[5] for row in door.call("RG.DUMPEXECUTIONS")] == [1, 0]
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[b"1"], []]


def test_one_that_still_runs_makes_room_when_it_ends(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.call("RG.CONFIGSET", "MaxExecutions", "1")
    wait = "while not execute('EXISTS', 'go'): __import__('time').sleep(0.01)"
    slow = start(door, f"def f(x):\n    {wait}\nGB('ShardsIDReader').map(f).run()")
    quick = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.GETRESULTSBLOCKING", quick) == [[b"1"], []]
    assert [row[1] for row in door.call("RG.DUMPEXECUTIONS")] == [quick, slow]
    redis_conn.call("SET", "go", "1")
    wait_for(lambda: [row[1] for row in door.call("RG.DUMPEXECUTIONS")] == [quick])


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_that_is_not_positive_is_none(door: FakeDoor, limit: str):
    door.call("RG.CONFIGSET", "MaxExecutions", limit, "MaxExecutionsPerRegistration", limit)
    for _ in range(2):
        door.call("RG.GETRESULTSBLOCKING", start(door, "GB('ShardsIDReader').run()"))
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    for _ in range(3):
        door.fire(door.ids[0], b"k", "set")
    assert len(door.call("RG.DUMPEXECUTIONS")) == 5


def test_so_many_are_kept_of_a_registration(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutionsPerRegistration", "2")
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    (registration,) = door.ids
    for _ in range(5):
        door.fire(registration, b"k", "set")
    assert len(door.call("RG.DUMPEXECUTIONS")) == 2
    door.call("RG.UNREGISTER", registration)
    assert door.call("RG.DUMPEXECUTIONS") == []


def test_those_of_a_registration_that_run_make_room_when_they_end(
    door: FakeDoor, redis_conn: BlockingConnection
):
    """There were more than are kept while none of them could go."""
    door.call("RG.CONFIGSET", "MaxExecutionsPerRegistration", "1")
    wait = "while not execute('EXISTS', 'go'): __import__('time').sleep(0.01)"
    door.script(f"""
def f(x):
    {wait}
GB('KeysReader').foreach(f).register(prefix='k', mode='async', readValue=False)
""")
    numbers = [door.event(door.ids[0], b"k", "set") for _ in range(6)]
    wait_for(lambda: len(door.call("RG.DUMPEXECUTIONS")) == 6)
    redis_conn.call("SET", "go", "1")
    door.wait_done(*numbers)
    wait_for(lambda: len(door.call("RG.DUMPEXECUTIONS")) == 1)


@pytest.mark.parametrize("number", ["+1", "--5", "\u00b2", "", "9" * 30])
def test_a_number_that_is_none_is_refused(door: FakeDoor, number: str):
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    (refused,) = door.call("RG.CONFIGSET", "MaxExecutions", number)
    assert text(refused) == "(error) Failed setting config value MaxExecutions"
    door.fire(door.ids[0], b"k", "set")
    assert door.call("RG.CONFIGGET", "MaxExecutions") == [1000]

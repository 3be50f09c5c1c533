"""Executions that are aborted: running, waiting, many at once."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.executor.flow.started import plan, start, status
from tests.minigears.realredis import wait_for

ENDLESS = """
import time
def f(x):
    execute('SET', 'running', '1')
    while True: time.sleep(.01)
GB('ShardsIDReader').map(f).run()
"""


def test_abort_a_running_one(door: FakeDoor, redis_conn: BlockingConnection):
    execution = start(door, ENDLESS)
    wait_for(lambda: redis_conn.call("GET", "running"))
    assert status(door, execution) == b"running"
    assert text(door.call("RG.GETRESULTS", execution)) == "execution is still running"
    blocking = door.send("RG.GETRESULTSBLOCKING", execution)
    assert door.call("RG.ABORTEXECUTION", execution) == b"OK"
    results, errors = blocking.get(timeout=10)
    assert results == []
    assert b"gears.forcestopped" in errors[0]
    assert door.results("GB('ShardsIDReader').run()") == [b"1"]


def test_abort_many_at_once(door: FakeDoor):
    """More than there are threads: some run, some have not begun."""
    executions = [start(door, ENDLESS) for _ in range(8)]
    for execution in executions:
        door.call("RG.ABORTEXECUTION", execution)
    for execution in executions:
        assert b"forcestopped" in door.call("RG.GETRESULTSBLOCKING", execution)[1][0]
    assert door.results("GB('ShardsIDReader').run()") == [b"1"]


def test_abort_one_that_waits_for_a_coroutine(door: FakeDoor, redis_conn: BlockingConnection):
    execution = start(
        door,
        """
import asyncio
async def f(x):
    execute('SET', 'running', '1')
    await asyncio.sleep(3600)
GB('ShardsIDReader').map(f).run()
""",
    )
    wait_for(lambda: redis_conn.call("GET", "running"))
    door.call("RG.ABORTEXECUTION", execution)
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[], []]
    assert status(door, execution) == b"aborted"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_abort_a_trigger_that_waits(door: FakeDoor, mode: str):
    """Nothing has failed: what came before is its result, and it counts as aborted."""
    script = f"""
kept = []
def f(x):
    kept.append(gearsFuture())
    return kept[-1] if x == 'wait' else x
GB('CommandReader').flatmap(lambda x: x[:0:-1]).map(f).register(trigger='t', mode='{mode}')
GB('CommandReader').map(lambda x: len(kept)).register(trigger='kept', mode='sync')
"""
    assert door.script(script) == b"OK"
    asked = door.send("RG.TRIGGER", "t", "before", "wait")
    wait_for(lambda: door.call("RG.TRIGGER", "kept") == [b"2"])
    [running] = [e[1] for e in door.call("RG.DUMPEXECUTIONS") if e[3] == b"running"]
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"
    assert asked.get(timeout=60) == [b"before"]
    stats = door.stats(door.ids[0])
    assert (stats["numAborted"], stats["numFailures"], stats["lastError"]) == (1, 0, None)


def test_an_abort_in_the_middle_of_a_call_leaves_no_reply_behind(
    door: FakeDoor, redis_conn: BlockingConnection
):
    for n in range(30):
        loop = f"execute('SET', 'running', {n})\n    while True: execute('PING')"
        execution = start(door, f"def f(x):\n    {loop}\nGB('ShardsIDReader').map(f).run()")
        wait_for(lambda n=n: redis_conn.call("GET", "running") == b"%d" % n, what="the function")
        door.call("RG.ABORTEXECUTION", execution)
        assert b"forcestopped" in door.call("RG.GETRESULTSBLOCKING", execution)[1][0]
        echo = f"GB('ShardsIDReader').map(lambda x: execute('ECHO', '{n}')).run()"
        assert door.results(echo) == [b"%d" % n]


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True: execute('PING')",
        "import time; time.sleep(3600)",
        "import re; [re.sub('a', 'b', 'a') for _ in iter(int, 1)]",
        "with atomic():\n        while True: execute('GET', 'k')",
    ],
)
def test_abort_a_sync_function(door: FakeDoor, redis_conn: BlockingConnection, body: str):
    """Others that wait for the main thread, and those that wait for Redis there, are not hit."""
    door.script(
        f"""
def f(x):
    execute('SET', 'running', '1')
    {body}
GB('KeysReader').foreach(f).register(prefix='bad', mode='sync', readValue=False)
GB('KeysReader').foreach(lambda x: execute('INCR', 'good')).register(prefix='k*', mode='sync')
"""
    )
    bad, good = door.ids
    events = [(good, b"k1", "set"), (bad, b"bad", "set"), (good, b"k2", "set")]
    numbers = door.events(events)
    wait_for(lambda: redis_conn.call("GET", "running"), what="the function")
    executions = [row[1] for row in door.call("RG.DUMPEXECUTIONS")]
    [running] = [e for e in executions if "<function f" in str(plan(door, e))]
    assert status(door, running) == b"running"
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"
    door.wait_done(*numbers)
    assert redis_conn.call("GET", "good") == b"2"
    stats = door.stats(bad)
    assert (stats["numAborted"], stats["numFailures"]) == (0, 1)  # it had begun
    assert b"gears.forcestopped" in stats["lastError"]
    assert door.stats(good)["numSuccess"] == 2
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"  # as of one that is done
    door.fire(good, b"k3", "set")


def test_abort_what_waits_for_its_turn(door: FakeDoor, redis_conn: BlockingConnection):
    """It ends at once, without having run: its trigger answers, and it counts as aborted."""
    script = """
import time
def wait(x):
    while not execute('EXISTS', 'go'):
        time.sleep(0.01)
GB('CommandReader').foreach(wait).register(trigger='wait')
"""
    assert door.script(script) == b"OK"
    asked = [door.send("RG.TRIGGER", "wait", str(n)) for n in range(4)]
    in_state = lambda wanted: [  # noqa: E731
        e[1] for e in door.call("RG.DUMPEXECUTIONS") if e[3] == wanted
    ]
    wait_for(lambda: len(in_state(b"running")) == 3 and len(in_state(b"created")) == 1)
    (waiting,) = in_state(b"created")
    assert door.call("RG.ABORTEXECUTION", waiting) == b"OK"
    assert asked[3].get(timeout=60) == []
    stats = door.stats(door.ids[0])
    assert (stats["numTriggered"], stats["numAborted"], stats["lastError"]) == (4, 1, None)
    run = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.ABORTEXECUTION", run) == b"OK"
    assert status(door, run) == b"aborted"
    assert door.call("RG.GETRESULTS", run) == [[], []]
    assert door.call("RG.DROPEXECUTION", run) == b"OK"
    redis_conn.call("SET", "go", "1")
    for reply in asked[:3]:
        assert reply.get(timeout=60) != []
    assert door.results("GB('ShardsIDReader').run()") == [b"1"]


def test_a_run_that_its_client_waits_for_is_listed_and_can_be_aborted(
    door: FakeDoor, redis_conn: BlockingConnection
):
    waiting = door.send("RG.PYEXECUTE", ENDLESS)
    wait_for(lambda: redis_conn.call("GET", "running"))
    ((_, execution, _, state, _, registered),) = door.call("RG.DUMPEXECUTIONS")
    assert (state, registered) == (b"running", 0)
    assert door.call("RG.ABORTEXECUTION", execution) == b"OK"
    results, errors = waiting.get(timeout=10)
    assert results == []
    assert b"gears.forcestopped" in errors[0]
    assert door.call("RG.DUMPEXECUTIONS") == []

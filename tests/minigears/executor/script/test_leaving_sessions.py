"""What still runs when its registration or session goes."""

from __future__ import annotations

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for

WAITS = """
import asyncio
async def f(x):
    execute('SET', 'begun', '1')
    while not execute('EXISTS', 'go'): await asyncio.sleep(.01)
    return 'old'
GB('CommandReader').map(f).register(trigger='t')
"""


def test_an_old_session_is_listed_as_dead_until_its_run_ends(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script(WAITS, "ID", "s")
    reply = door.send("RG.TRIGGER", "t")
    while not redis_conn.call("EXISTS", "begun"):
        pass
    door.script(
        "GB('CommandReader').map(lambda x: 'new').register(trigger='t')", "ID", "s", "UPGRADE"
    )
    [dead] = door.call("RG.PYDUMPSESSIONS", "DEAD")
    shown = dict(zip(dead[::2], dead[1::2], strict=True))
    assert (shown[b"ID"], shown[b"linked"], shown[b"dead"]) == (b"s", b"None", b"true")
    assert shown[b"refCount"] == 1  # what runs
    assert door.call("RG.TRIGGER", "t") == [b"new"]
    redis_conn.call("SET", "go", "1")
    assert reply.get(timeout=30) == [b"old"]
    assert door.call("RG.PYDUMPSESSIONS", "DEAD") == []


def test_a_run_outlives_first_its_registration_then_its_session(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script(WAITS + "GB('CommandReader').register(trigger='other')", "ID", "s")
    reply = door.send("RG.TRIGGER", "t")
    while not redis_conn.call("EXISTS", "begun"):
        pass
    for registration in door.ids:
        assert door.call("RG.UNREGISTER", registration) == b"OK"
    [running] = [row[1] for row in door.call("RG.DUMPEXECUTIONS")]
    [dead] = door.call("RG.PYDUMPSESSIONS", "DEAD")
    assert dead[1] == b"s"
    redis_conn.call("SET", "go", "1")
    assert reply.get(timeout=30) == [b"old"]
    assert door.call("RG.PYDUMPSESSIONS", "DEAD") == []
    assert "does not exist" in text(door.call("RG.GETEXECUTION", running))


def test_a_session_that_exists_is_not_replaced_by_a_third(door: FakeDoor):
    for name in "ab":
        door.script(f"GB('CommandReader').register(trigger='{name}')", "ID", name)
    words = "Can not replace an existing session a with b"
    assert words in text(door.script("GB()", "ID", "a", "REPLACE_WITH", "b"))


def test_a_coroutine_that_unregisters_itself_gives_its_result(door: FakeDoor):
    script = """
import asyncio
async def f(x):
    for row in execute('RG.DUMPREGISTRATIONS'):
        execute('RG.UNREGISTER', row[1], 'ABORTPENDING')
    await asyncio.sleep(0)
    return 'done'
GB('CommandReader').map(f).register(trigger='t')
"""
    door.script(script)
    assert door.call("RG.TRIGGER", "t") == [b"done"]
    assert door.ids == []


def test_an_execution_that_is_aborted_may_be_dropped_at_once(door: FakeDoor):
    script = (
        "import time\ndef f(x):\n while True: time.sleep(.01)\nGB('ShardsIDReader').map(f).run()"
    )
    execution = door.script(script, "UNBLOCKING")
    assert "abort it first" in text(door.call("RG.DROPEXECUTION", execution))
    assert door.call("RG.ABORTEXECUTION", execution) == b"OK"
    assert door.call("RG.DROPEXECUTION", execution) == b"OK"
    assert "does not exist" in text(door.call("RG.GETRESULTS", execution))


def test_a_session_whose_run_goes_on_is_dead_until_it_ends(
    door: FakeDoor, redis_conn: BlockingConnection
):
    """The run is the script's own, and answers nobody, as the script registers, too."""
    script = """
import asyncio
async def wait(x):
    while not execute('EXISTS', 'go'):
        await asyncio.sleep(0.01)
GB('ShardsIDReader').map(wait).run()
GB().register()
"""
    assert door.script(script, "ID", "s") == b"OK"
    assert door.script("GB().register()", "ID", "s", "UPGRADE") == b"OK"
    ((_, name, *_),) = door.call("RG.PYDUMPSESSIONS", "DEAD")
    assert name == b"s"
    redis_conn.call("SET", "go", "1")
    wait_for(lambda: door.call("RG.PYDUMPSESSIONS", "DEAD") == [])

"""A GearsBuilder works wherever Python runs."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for

RUN = "GB('ShardsIDReader').run()"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_in_a_function_and_in_a_coroutine(door: FakeDoor, mode: str):
    """What a function returns is the future itself; a coroutine waits for it."""
    register = f"register(trigger='t', mode='{mode}')"
    door.script(f"GB('CommandReader').map(lambda x: {RUN}).{register}", "ID", "a")
    assert door.call("RG.TRIGGER", "t")[0].startswith(b"<GearsFuture ")
    coroutine = f"async def f(x): return await {RUN}\nGB('CommandReader').map(f).{register}"
    door.script(coroutine, "ID", "a", "UPGRADE")
    assert door.call("RG.TRIGGER", "t") == [b"[['1'], []]"]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_future_of_a_run_calls_back(door: FakeDoor, redis_conn: BlockingConnection, mode: str):
    script = f"""
def f(x):
    {RUN}.add_done_callback(lambda future: execute('SET', 'brought', str(future.result())))
GB('CommandReader').map(f).register(trigger='t', mode='{mode}')
"""
    door.script(script)
    door.call("RG.TRIGGER", "t")
    wait_for(lambda: redis_conn.call("GET", "brought") == b"[['1'], []]")


def test_a_loop_of_a_functions_own_waits_for_a_run(door: FakeDoor):
    script = f"""
import asyncio
async def wait(): return await {RUN}
GB('CommandReader').map(lambda x: asyncio.run(wait())).register(trigger='t')
"""
    door.script(script)
    assert door.call("RG.TRIGGER", "t") == [b"[['1'], []]"]


def test_errors_of_a_run_come_with_its_results(door: FakeDoor):
    run = "GB('ShardsIDReader').map(lambda x: 1/0).run()"
    door.script(
        f"async def f(x): return await {run}\nGB('CommandReader').map(f).register(trigger='t')"
    )
    assert b"ZeroDivisionError" in door.call("RG.TRIGGER", "t")[0]


def test_in_a_timer_and_when_registered(door: FakeDoor, redis_conn: BlockingConnection):
    run = "GB('ShardsIDReader').foreach(lambda x: execute('INCR', '{}')).run()"
    door.script(f"registerTE(0, lambda: {run.format('timer')})")
    door.script(
        f"GB('CommandReader').register(trigger='t', onRegistered=lambda: {run.format('on')})"
    )
    for key in ("timer", "on"):
        wait_for(lambda key=key: redis_conn.call("EXISTS", key), what=key)


def test_what_is_made_when_registered_is_the_sessions(
    door: FakeDoor, redis_conn: BlockingConnection
):
    script = """
def more():
    GB('ShardsIDReader').foreach(lambda x: execute('SET', 'ran', '1')).run()
    GB('CommandReader').map(lambda x: 'more').register(trigger='more')
    raise ValueError('logged')
GB('CommandReader').register(trigger='t', onRegistered=more)
"""
    assert door.script(script, "ID", "one") == b"OK"
    for _ in range(2):
        assert door.call("RG.TRIGGER", "more") == [b"more"]
        wait_for(lambda: redis_conn.call("DEL", "ran"), what="the run")
        assert len(door.ids) == 2
        assert len(door.call("RG.PYDUMPSESSIONS")) == 1
        door.kill()
        door.start()


def test_a_script_that_registers_answers_ok(door: FakeDoor, redis_conn: BlockingConnection):
    run = "GB('ShardsIDReader').foreach(lambda x: execute('SET', 'ran', '1')).run()"
    assert door.script(f"GB('CommandReader').register(trigger='t')\n{run}") == b"OK"
    wait_for(lambda: redis_conn.call("EXISTS", "ran"), what="the run")


def test_a_function_registers(door: FakeDoor):
    script = """
def f(x):
    return GB('CommandReader').map(lambda x: 'new').register(trigger=x[1])
GB('CommandReader').map(f).register(trigger='make', mode='MODE')
"""
    for mode in ("sync", "async"):
        door.script(script.replace("MODE", mode), "ID", "maker", *["UPGRADE"] * (mode == "async"))
        [made] = door.call("RG.TRIGGER", "make", mode)
        assert made in [i.encode() for i in door.ids]
        assert door.call("RG.TRIGGER", mode) == [b"new"]
        assert "already registered" in text(door.call("RG.TRIGGER", "make", mode))
    door.kill()
    door.start()
    assert door.call("RG.TRIGGER", "async") == [b"new"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("GB()", "Can not create a gearsCtx on a python created thread"),
        ("registerTE(1, f)", "can not create time event on a python created thread"),
    ],
)
def test_but_not_in_a_thread_that_acts_for_nobody(door: FakeDoor, call: str, words: str):
    script = f"""
import threading
def f(x):
    future = gearsFuture()
    def begin():
        try:
            {call}
        except Exception as error:
            future.continueRun(str(error))
    threading.Thread(target=begin).start()
    return future
GB('CommandReader').map(f).register(trigger='t')
"""
    door.script(script)
    assert door.call("RG.TRIGGER", "t") == [words.encode()]

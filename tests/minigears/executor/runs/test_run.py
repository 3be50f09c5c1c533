"""Events of an async KeysReader: one after another in their order, as RedisGears's one worker has them."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.realredis import wait_for

NOTES = "GB().foreach(lambda x: execute('RPUSH', 'seen', x['event'])).register('k', mode='{}')"
WAITS = """
import asyncio
async def f(x):
    while x['event'] == 'first' and not execute('EXISTS', 'go'):
        await asyncio.sleep(.01)
    execute('RPUSH', 'seen', x['event'])
GB().foreach(f).register('k')
"""


@pytest.mark.parametrize("mode", ["async", "async_local"])
def test_they_run_in_their_order(door: FakeDoor, redis_conn: BlockingConnection, mode: str):
    door.script(NOTES.format(mode))
    names = [f"event{number}" for number in range(300)]
    numbers = door.events([(door.ids[0], b"k", name) for name in names])
    door.wait_done(*numbers)
    assert redis_conn.call("LRANGE", "seen", "0", "-1") == [name.encode() for name in names]


def test_one_that_waits_keeps_no_other_back(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(WAITS)
    numbers = door.events([(door.ids[0], b"k", name) for name in ("first", "second", "third")])
    wait_for(lambda: redis_conn.call("LLEN", "seen") == 2)
    redis_conn.call("SET", "go", "1")
    door.wait_done(*numbers)
    assert set(redis_conn.call("LRANGE", "seen", "0", "1")) == {b"second", b"third"}

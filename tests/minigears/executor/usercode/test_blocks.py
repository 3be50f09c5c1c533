"""What keeps other functions out, `atomic()` and `inorder`, and that it ends with its function."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.realredis import wait_for


def test_inorder_triggers_do_not_overlap(door: FakeDoor, redis_conn: BlockingConnection):
    script = """
def f(x):
    execute('RPUSH', 'trace', 'in ' + x[1])
    for _ in range(20): execute('PING')
    execute('RPUSH', 'trace', 'out ' + x[1])
GB('CommandReader').foreach(f).register(trigger='t', inorder=True)
"""
    door.script(script)
    replies = [door.send("RG.TRIGGER", "t", str(n)) for n in range(10)]
    for reply in replies:
        reply.get(timeout=30)
    expected = [b"%b %d" % (word, n) for n in range(10) for word in (b"in", b"out")]
    assert redis_conn.call("LRANGE", "trace", 0, -1) == expected


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_block_that_is_never_left_ends_with_its_function(door: FakeDoor, redis_conn, mode: str):
    keeps = "GB().foreach(lambda x: atomic().__enter__()).register(prefix='e:*', mode='{}')"
    calls = """
def f(x):
    execute('INCR', 'here')
    while int(execute('GET', 'here')) < 2:  # so both threads are at work
        pass
GB().foreach(f).register(prefix='f:*', mode='async')
GB().foreach(f).register(prefix='f:*', mode='async')"""
    door.script(keeps.format(mode))
    door.script(calls)
    first, second, third = door.ids
    door.fire(first, b"e:1", "set")
    door.wait_done(*door.events([(second, b"f:1", "set"), (third, b"f:1", "set")]))
    assert redis_conn.call("GET", "here") == b"2"


def test_a_block_that_a_batch_never_leaves_ends_with_it(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script("GB('StreamReader').foreach(lambda x: atomic().__enter__()).register(prefix='s')")
    door.script("GB().foreach(lambda x: execute('INCR', 'n')).register(prefix='f:*', mode='async')")
    _, other = door.ids
    redis_conn.call("XADD", "s", "*", "a", "b")
    door.streams(b"s")
    wait_for(lambda: redis_conn.call("XLEN", "s") == 0, what="the batch to end")
    door.fire(other, b"f:1", "set")
    assert redis_conn.call("GET", "n") == b"1"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_atomic_blocks_lose_no_update(door: FakeDoor, redis_conn: BlockingConnection, mode: str):
    script = f"""
def f(x):
    with atomic():
        n = int(execute('GET', 'n') or 0)
        execute('SET', 'n', n + 1)
GB('KeysReader').foreach(f).register(mode='{mode}', prefix='k*', readValue=False)
"""
    door.script(script)
    (registration,) = door.ids
    door.wait_done(*door.events([(registration, b"k%d" % n, "set") for n in range(60)]))
    assert redis_conn.call("GET", "n") == b"60"


def test_an_atomic_block_of_a_coroutine_does_not_concern_who_waits_for_it(door: FakeDoor):
    script = """
import time
async def f(x):
    with atomic(): time.sleep(0.0005)
    return x
GB('PythonReader').map(f).count().run(lambda: range(400))
"""
    assert door.results(script) == [b"400"]

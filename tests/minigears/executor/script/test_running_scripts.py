"""Running a script: how its text is read, and what becomes of the run that it asks for."""

from __future__ import annotations

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for

TEXT = b"GB('ShardsIDReader').map(lambda x: '\xe9').run()"


def test_a_script_is_read_as_python_reads_a_file(shared_door: FakeDoor):
    e_acute = "é".encode()
    assert shared_door.call("RG.PYEXECUTE", b"# coding: latin-1\n" + TEXT) == [[e_acute], []]
    marked = b"\xef\xbb\xbf" + TEXT.replace(b"\xe9", e_acute)
    assert shared_door.call("RG.PYEXECUTE", marked) == [[e_acute], []]
    told = text(shared_door.call("RG.PYEXECUTE", TEXT))
    assert told.startswith("Error type: <class 'SyntaxError'>, Value: (unicode error) 'utf-8'")


def test_a_script_waits_in_a_coroutine_for_its_run(door: FakeDoor, redis_conn: BlockingConnection):
    script = """
run = GB('ShardsIDReader').map(lambda x: x + '!').run()
async def wait():
    execute('SET', 'brought', str(await run))
runCoroutine(wait())
"""
    assert door.results(script) == [b"1!"]
    wait_for(lambda: redis_conn.call("GET", "brought") == b"[['1!'], []]")

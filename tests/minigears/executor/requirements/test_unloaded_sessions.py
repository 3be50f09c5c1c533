"""A session whose requirements cannot be installed at a restart is shown and tried again, and misses nothing."""

from __future__ import annotations

import shutil

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

SCRIPT = """
import driver
def note(x):
    import driver
    execute('HINCRBY', 'seen', x['key'], 1)
GB('KeysReader').foreach(note).register(prefix='k:*', mode='{mode}')
GB('StreamReader').foreach(lambda x: execute('INCR', 'entries')).register('s:*')
"""


@pytest.fixture(params=["sync", "async"])
def gears(request, start_redis, tmp_path, wheels):
    """A minigears with a session, whose requirement is gone when it starts again."""
    gears = MiniGears(start_redis("--save", ""), tmp_path)
    gears.start()
    gears.run(SCRIPT.format(mode=request.param), "ID", "needy", "REQUIREMENTS", "driver==4.1.1")
    gears.stop()
    shutil.rmtree(tmp_path / "cache")
    wheels.rename(tmp_path / "elsewhere")
    gears.start()
    yield gears
    assert gears.stop() == 0


def unloaded(client: redis.Redis) -> int:
    return client.info("minigears")["minigears_sessions_unloaded"]


def test_its_events_wait_until_it_is_loaded(gears, tmp_path, wheels):
    with gears.client() as client:
        assert unloaded(client) == 1
        assert "session needy cannot be loaded; its 2 registrations wait" in gears.log
        client.set("k:1", 1)
        client.xadd("s:1", {"f": "v"})
        before = gears.executor
        before.kill()
        wait_for(lambda: (now := gears.executor) and now.pid != before.pid, what="another executor")
        wait_for(lambda: client.info("minigears")["minigears_executor_ready"], what="it")
        client.set("k:2", 1)
        assert client.hgetall("seen") == {}
        assert client.info("minigears")["minigears_intents_pending"] == 2
        (tmp_path / "elsewhere").rename(wheels)
        wait_for(lambda: unloaded(client) == 0, 90, "the session")
        wait_for(lambda: client.hlen("seen") == 2, what="events of before")
        wait_for(lambda: client.get("entries") == "1", what="the entry of before")
        client.set("k:3", 1)
        wait_for(lambda: client.hget("seen", "k:3") == "1", what="an event of now")
        wait_for(
            lambda: client.info("minigears")["minigears_intents_pending"] == 0, what="no intents"
        )
        assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 2


def test_it_can_be_replaced_or_removed_meanwhile(gears, tmp_path, wheels):
    with gears.client() as client:
        client.set("k:1", 1)
        count = "GB().foreach(lambda x: execute('INCR', 'n')).register(prefix='k:*', mode='sync')"
        assert gears.run(count, "ID", "needy") in ("OK", b"OK")
        assert unloaded(client) == 0
        client.set("k:2", 1)
        assert int(client.get("n")) >= 1
        wait_for(
            lambda: client.info("minigears")["minigears_intents_pending"] == 0, what="no intents"
        )
        gears.kill()
        gears.start()
    with gears.client() as client:
        assert unloaded(client) == 0
        assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 1


def test_it_survives_what_clears_the_functions_and_goes_when_it_is_told_to(gears):
    with gears.client() as client:
        client.function_flush()
        assert client.function_list()
        client.set("k:1", 1)
        first = next(n for n in range(20) if removes(client, n))
        assert unloaded(client) == 0
        assert not removes(client, first)
        wait_for(
            lambda: client.info("minigears")["minigears_intents_pending"] == 0, what="no intents"
        )


def removes(client: redis.Redis, number: int) -> bool:
    """Whether there was a registration of this number to unregister."""
    try:
        return bool(client.execute_command("RG.UNREGISTER", f"{'0' * 40}-{number}"))
    except redis.ResponseError:
        return False

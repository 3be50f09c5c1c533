"""Every way a write can arrive is seen, once, before its client has the reply."""

import concurrent.futures

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

NOTE = """
GB('KeysReader').foreach(lambda x: execute('RPUSH', 'seen', x['event'] + ' ' + x['key'])) \\
    .register(prefix='k:*', mode='{mode}', readValue=False)
"""


@pytest.fixture
def client(gears: MiniGears):
    gears.run(NOTE.format(mode="sync"))
    with gears.client() as client:
        yield client


def seen(client):
    return client.lrange("seen", 0, -1)


def test_a_plain_write(client):
    client.set("k:1", 1)
    assert seen(client) == ["set k:1"]


def test_keys_that_no_registration_is_about_raise_nothing(client):
    client.set("x:1", 1)
    assert seen(client) == []


def test_a_write_that_changes_nothing_raises_nothing(client):
    client.set("k:1", 1)
    client.delete("seen")
    client.set("k:1", 2, nx=True)
    client.delete("k:none")
    assert seen(client) == []


def test_a_pipeline_in_order(client):
    pipe = client.pipeline(transaction=False)
    for i in range(200):
        pipe.set(f"k:{i}", i).get(f"k:{i}")
    assert pipe.execute()[1::2] == [str(i) for i in range(200)]
    assert sorted(seen(client)) == sorted(f"set k:{i}" for i in range(200))


def test_one_key_keeps_its_order(client):
    pipe = client.pipeline(transaction=False)
    pipe.set("k:1", 1).expire("k:1", 100).append("k:1", "x").delete("k:1").execute()
    assert seen(client) == ["set k:1", "expire k:1", "append k:1", "del k:1"]


def test_multi_and_exec(client):
    pipe = client.pipeline(transaction=True)
    assert pipe.set("k:1", 1).get("k:1").incr("k:2").execute() == [True, "1", 1]
    assert seen(client) == ["set k:1", "incrby k:2"]


def test_watch_that_fails_raises_nothing(client, gears):
    with client.pipeline() as pipe, gears.client() as other:
        pipe.watch("k:1")
        other.set("k:1", "other")
        pipe.multi()
        pipe.set("k:1", "mine")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert seen(client) == ["set k:1"]


def test_discard_raises_nothing(client):
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.set("k:1", 1)
        pipe.reset()
    assert seen(client) == []


def test_lua_and_functions(client):
    client.eval("redis.call('SET', KEYS[1], 1) redis.call('DEL', KEYS[1])", 1, "k:1")
    assert seen(client) == ["set k:1", "del k:1"]
    client.execute_command(
        "FUNCTION", "LOAD", "REPLACE",
        "#!lua name=t\nredis.register_function('f', function(k) return redis.call('SET', k[1], 1) end)",
    )  # fmt: skip
    client.fcall("f", 1, "k:2")
    assert seen(client)[-1] == "set k:2"


def test_writers_on_redis_own_port_and_expiry(client, gears):
    direct = gears.server.connect()
    direct.call("SET", "k:direct", "1", "PX", "20")
    direct.close()
    wait_for(lambda: "expired k:direct" in seen(client), what="the expiry")
    assert seen(client) == ["set k:direct", "expire k:direct", "expired k:direct"]


def test_a_rename_is_two_events(client):
    client.set("x:1", 1)
    client.rename("x:1", "k:1")
    client.rename("k:1", "k:2")
    client.rename("k:2", "x:2")
    assert seen(client) == [
        "rename_to k:1",
        "rename_from k:1",
        "rename_to k:2",
        "rename_from k:2",
    ]


def test_other_databases_raise_nothing(client, gears):
    with gears.client(db=3) as other:
        pipe = other.pipeline(transaction=True)
        pipe.set("k:3", 1).expire("k:3", 100).rename("k:3", "k:4").delete("k:4").execute()
        other.set("k:moved", 1)
        other.move("k:moved", 0)
    client.set("k:1", 1)  # by now the others would be there, too
    assert seen(client) == ["move_to k:moved", "set k:1"]


@pytest.fixture
def little_memory(gears):
    """A Redis that evicts what has a time to live once 4 MB more are used."""
    with gears.client() as client:
        limit = client.info("memory")["used_memory"] + (4 << 20)
        client.config_set("maxmemory-policy", "volatile-random")
        client.config_set("maxmemory", limit)
        yield client
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_eviction(gears, little_memory, mode):
    note = NOTE.format(mode=mode)
    gears.run(note.replace("prefix=", "eventTypes=['evicted'], prefix="))
    keys = {f"k:{i}" for i in range(1000)}
    for key in keys:
        little_memory.set(key, "x" * 10_000, ex=1000)

    def gone():  # what the function writes needs memory, too
        return sorted(f"evicted {key}" for key in keys - set(little_memory.keys("k:*")))

    assert gone()
    wait_for(lambda: sorted(seen(little_memory)) == gone(), what="the events")


def test_a_sync_function_writes_without_raising_events_again(gears):
    gears.run(
        "GB('KeysReader').foreach(lambda x: execute('INCR', 'k:count')).register(prefix='k:*', mode='sync')"
    )
    with gears.client() as client:
        client.set("k:1", 1)
        assert client.get("k:count") == "1"


def test_an_async_function_runs_after_the_reply(gears):
    gears.run(NOTE.format(mode="async"))
    with gears.client() as client:
        client.set("k:1", 1)
        wait_for(lambda: seen(client) == ["set k:1"], what="the function")


def test_a_function_that_raises_does_not_harm_its_client(gears):
    gears.run("GB('KeysReader').foreach(lambda x: 1 / 0).register(prefix='k:*', mode='sync')")
    with gears.client() as client:
        assert client.set("k:1", 1)
        stats = client.execute_command("RG.DUMPREGISTRATIONS")[0][7]
        assert stats[stats.index("numFailures") + 1] == 1
        assert "division by zero" in stats[stats.index("lastError") + 1]


def test_intents_are_removed_once_functions_are_done(client, gears):
    for i in range(50):
        client.set(f"k:{i}", i)
    with gears.client(db=15) as journal:
        wait_for(lambda: journal.xlen("__minigears__:intents") == 0, what="an empty journal")


def test_no_key_shows_that_minigears_is_there(client):
    client.set("k:1", 1)
    assert sorted(client.keys("*")) == ["k:1", "seen"]


UPGRADE = """
for registration in execute('RG.DUMPREGISTRATIONS'):
    execute('RG.UNREGISTER', registration[1])
assert execute('RG.DUMPREGISTRATIONS') == []
import time
time.sleep(.2)
GB('KeysReader').foreach(lambda x: execute('SADD', 'done', x['key'])) \\
    .register(prefix='k:*', mode='sync', readValue=False)
"""


def test_a_script_that_replaces_itself_misses_no_write_meanwhile(gears):
    gears.run(UPGRADE)
    with gears.client() as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(gears.run, UPGRADE)
        written = set()
        while not upgrade.done():
            key = f"k:{len(written)}"
            client.set(key, 1)
            written.add(key)
        assert upgrade.result() == "OK"
        assert client.smembers("done") == written
        assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 1


def test_a_script_that_fails_leaves_out_what_it_took_out(gears):
    gears.run(UPGRADE)
    with pytest.raises(redis.ResponseError, match="boom"):
        gears.run(
            "execute('RG.UNREGISTER', execute('RG.DUMPREGISTRATIONS')[0][1]); raise Exception('boom')"
        )
    with gears.client() as client:
        assert client.execute_command("RG.DUMPREGISTRATIONS") == []


def test_registrations_survive_flushall(client):
    client.flushall()
    client.set("k:1", 1)
    assert seen(client) == ["set k:1"]

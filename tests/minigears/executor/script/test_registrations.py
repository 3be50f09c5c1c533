"""Registrations: take effect, count, survive, go."""

from __future__ import annotations

import ast

import hiredis
import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for

KEYS = "GB('KeysReader').foreach(lambda x: execute('RPUSH', 'seen', str(x))){}"


def seen(conn: BlockingConnection) -> list[dict]:
    return [ast.literal_eval(item.decode()) for item in conn.call("LRANGE", "seen", 0, -1)]


def test_the_door_is_told(door: FakeDoor):
    door.script(KEYS.format(".register(prefix='a:*', eventTypes=['set'], commands=['set'])"))
    door.script(KEYS.format(".register(prefix='exact', mode='sync')"))
    door.script("GB('StreamReader').register(prefix='s:*')")
    door.script("GB('CommandReader').register(hook='hset', keyprefix='h:*')")
    door.script("GB('CommandReader').register(trigger='t')")
    one, two, three, four, _ = door.ids
    keys = {"events": ["set"], "commands": ["set"], "mode": "async"}
    rest = {"events": None, "commands": None, "mode": "sync"}
    assert door.interest == {
        "keys": [
            {"id": one, "prefix": b"a:", "exact": False, **keys},
            {"id": two, "prefix": b"exact", "exact": True, **rest},
        ],
        "streams": [{"id": three, "prefix": b"s:", "exact": False}],
        "hooks": [{"id": four, "command": "hset", "prefix": "h:*"}],
    }
    for registration in door.ids:
        assert door.call("RG.UNREGISTER", registration) == b"OK"
    assert door.interest == {"keys": [], "streams": [], "hooks": []}


def test_records_of_keys(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(KEYS.format(".register(prefix='k:*', mode='sync')"))
    (registration,) = door.ids
    redis_conn.call("HSET", "k:h", "a", "1", "b", "2")
    redis_conn.call("RPUSH", "k:l", "x", "y")
    redis_conn.call("SET", "k:s", "v")
    for key, event in ((b"k:h", "hset"), (b"k:s", "set"), (b"k:l", "rpush"), (b"k:x", "del")):
        door.fire(registration, key, event)
    assert seen(redis_conn) == [
        {"event": "hset", "key": "k:h", "type": "hash", "value": {"b": "2", "a": "1"}},
        {"event": "set", "key": "k:s", "type": "string", "value": "v"},
        {"event": "rpush", "key": "k:l", "type": "list", "value": ["x", "y"]},
        {"event": "del", "key": "k:x", "type": "empty", "value": None},
    ]


def test_only_some_types_and_no_values(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(KEYS.format(".register(mode='sync', keyTypes=['hash'], readValue=False)"))
    (registration,) = door.ids
    redis_conn.call("HSET", "h", "a", "1")
    redis_conn.call("SET", "s", "v")
    door.fire(registration, b"h", "hset")
    door.fire(registration, b"s", "set")
    assert seen(redis_conn) == [{"event": "hset", "key": "h"}]
    assert door.stats(registration)["numTriggered"] == 1


def test_async_functions_run_too_and_are_done_when_they_are(
    door: FakeDoor, redis_conn: BlockingConnection
):
    script = """
def f(x):
    execute('RPUSH', 'begun', x['key'])
    while not execute('EXISTS', 'go'): pass
GB('KeysReader').foreach(f).register(prefix='k:*')
"""
    door.script(script)
    (registration,) = door.ids
    numbers = door.events([(registration, b"k:%d" % n, "set") for n in range(5)])
    wait_for(lambda: redis_conn.call("LLEN", "begun") == 1)  # and the others come behind it
    assert door.none_done()
    redis_conn.call("SET", "go", "1")
    door.wait_done(*numbers)
    assert door.stats(registration)["numSuccess"] == 5


def test_order_of_a_key_is_kept_while_others_overlap(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script(KEYS.format(".register(prefix='*', mode='sync', readValue=False)"))
    (registration,) = door.ids
    events = [(registration, b"k%d" % (n % 7), f"e{n}") for n in range(200)]
    door.wait_done(*door.events(events))
    ran = seen(redis_conn)
    assert len(ran) == 200
    for key in {record["key"] for record in ran}:
        numbers = [int(r["event"][1:]) for r in ran if r["key"] == key]
        assert numbers == sorted(numbers)


def test_failures_are_counted(door: FakeDoor):
    door.script("GB('KeysReader').foreach(lambda x: nosuch).register(mode='sync')")
    (registration,) = door.ids
    door.fire(registration, b"k", "set")
    stats = door.stats(registration)
    assert (stats["numTriggered"], stats["numSuccess"], stats["numFailures"]) == (1, 0, 1)
    assert b"NameError: name 'nosuch' is not defined" in stats["lastError"]
    door.call("RG.CLEARREGISTRATIONSSTATS")
    assert door.stats(registration)["lastError"] is None


def test_events_of_what_is_not_registered_are_done(door: FakeDoor):
    door.fire("0" * 40 + "-99", b"k", "set")


@pytest.mark.parametrize(
    ("reader", "arguments", "message"),
    [
        ("KeysReader", r"prefix='\udcff*'", "regex argument must be text that is UTF-8"),
        ("KeysReader", r"eventTypes=['\ud800']", "eventTypes argument must be text that is UTF-8"),
        ("StreamReader", r"prefix='\ud800*'", "regex argument must be text that is UTF-8"),
        ("StreamReader", "duration=10**400", "duration argument must be a number"),
        ("CommandReader", r"hook='\ud800'", "hook argument must be text that is UTF-8"),
    ],
)
def test_arguments_that_nobody_could_use_are_refused(
    door: FakeDoor, reader: str, arguments: str, message: str
):
    assert message in text(door.script(f"GB('{reader}').register({arguments})"))
    assert door.ids == []
    door.script("GB('CommandReader').register(trigger='t')")
    assert len(door.ids) == 1


def test_an_exception_takes_everything_back(door: FakeDoor, redis_conn: BlockingConnection):
    reply = door.script("GB('CommandReader').register(trigger='t')\nraise Exception('no')")
    assert "Exception: no" in text(reply)
    assert door.ids == []
    assert redis_conn.call("FUNCTION", "LIST") == []


def test_a_function_that_cannot_be_pickled_is_an_error(door: FakeDoor):
    script = "import threading\nl = threading.Lock()\nGB('CommandReader').map(lambda x: l).register(trigger='t')"
    assert "pickle" in text(door.script(script))
    assert door.ids == []


def test_the_literal_of_a_session(door: FakeDoor):
    door.script("GB('CommandReader').register(trigger='t')", "ID", "s", "DESCRIPTION", "it's")
    literal = ast.literal_eval(door.call("RG.DUMPREGISTRATIONS")[0][9].decode())
    assert literal["sessionName"] == "s"
    assert literal["sessionDescription"] == "it's"
    assert literal["registrationsList"] == door.ids
    assert literal["depsList"] == []


STATEFUL = """
import uuid
count, unique = 0, str(uuid.uuid4())
def prepare():
    global count
    count = 100
def f(x):
    global count
    count += 1
    return [unique, count, gearsConfigGet('url', 'none')]
GB('CommandReader', desc='d').map(f).register(trigger='t', mode='sync', onRegistered=prepare)
"""


def test_survive_a_killed_executor(door: FakeDoor, redis_conn: BlockingConnection):
    door.call("RG.CONFIGSET", "url", "mongodb://here")
    door.script(STATEFUL, "ID", "kept")
    before = door.call("RG.TRIGGER", "t")[0].decode()
    assert ast.literal_eval(before)[1:] == [101, "mongodb://here"]
    ids, interest = door.ids, door.interest
    redis_conn.call("FLUSHALL")
    door.kill()
    door.start()
    assert door.ids == ids
    assert door.interest == interest
    assert door.call("RG.TRIGGER", "t")[0].decode() == before
    assert door.call("RG.DUMPREGISTRATIONS")[0][5] == b"d"
    door.script("GB('CommandReader').register(trigger='u')")
    assert len(set(door.ids)) == 2


def test_an_unregistered_one_does_not_come_back(door: FakeDoor):
    door.script(
        "GB('CommandReader').register(trigger='t')\nGB('CommandReader').register(trigger='u')"
    )
    first, second = door.ids
    door.call("RG.UNREGISTER", first)
    door.kill()
    door.start()
    assert door.ids == [second]
    assert text(door.call("RG.TRIGGER", "t")) == "ERR subcommand not found"
    door.call("RG.UNREGISTER", second)
    assert door.call("RG.PYDUMPSESSIONS") == []
    door.kill()
    door.start()
    assert door.ids == []


def test_streams(door: FakeDoor, redis_conn: BlockingConnection):
    script = """
GB('StreamReader').foreach(lambda x: execute('RPUSH', 'got', x['id'])).register(prefix='s:*', batch=2)
"""
    door.script(script)
    (registration,) = door.ids
    for number in range(1, 5):
        redis_conn.call("XADD", "s:1", f"{number}-1", "f", "v")
        door.streams(b"s:1")
    wait_for(lambda: redis_conn.call("LLEN", "got") == 4)
    wait_for(lambda: redis_conn.call("XLEN", "s:1") == 0)
    assert door.call("RG.PAUSEREGISTRATIONS", registration) == b"OK"
    assert door.stats(registration)["status"] == b"PAUSED"
    assert door.call("RG.UNPAUSEREGISTRATIONS", registration) == b"OK"
    assert all(row[3] == b"done" for row in door.call("RG.DUMPEXECUTIONS"))


def test_a_stream_batch_that_fails(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(
        "GB('StreamReader').foreach(lambda x: 1/0).register(prefix='s', onFailedPolicy='abort')"
    )
    (registration,) = door.ids
    redis_conn.call("XADD", "s", "*", "f", "v")
    door.streams(b"s")
    wait_for(lambda: door.stats(registration)["status"] == b"ABORTED")
    assert b"ZeroDivisionError" in door.stats(registration)["lastError"]


def test_replace_and_upgrade_swap_all_at_once(door: FakeDoor):
    two = "GB('CommandReader').register(trigger='a')\nGB('CommandReader').register(trigger='b')"
    door.script(two, "ID", "one")
    old = door.ids
    assert (
        door.script(
            "GB('CommandReader').map(lambda x: 'new').register(trigger='a')", "ID", "one", "UPGRADE"
        )
        == b"OK"
    )
    assert len(door.ids) == 1
    assert not set(door.ids) & set(old)
    assert door.call("RG.TRIGGER", "a") == [b"new"]
    assert text(door.call("RG.TRIGGER", "b")) == "ERR subcommand not found"
    assert door.script(two, "ID", "other", "REPLACE_WITH", "one") == b"OK"
    assert [s[1] for s in door.call("RG.PYDUMPSESSIONS")] == [b"other"]


def test_a_failed_upgrade_leaves_the_old_ones(door: FakeDoor):
    door.script("GB('CommandReader').register(trigger='a')", "ID", "one")
    old = door.ids
    reply = door.script(
        "GB('CommandReader').register(trigger='a')\nraise Exception()", "ID", "one", "UPGRADE"
    )
    assert isinstance(reply, hiredis.ReplyError)
    assert door.ids == old
    assert door.call("RG.TRIGGER", "a", "x") == [b"['a', 'x']"]


def test_a_store_that_refuses_is_an_error_and_changes_nothing(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script("GB('CommandReader').register(trigger='a')")
    redis_conn.call("FUNCTION", "DELETE", "minigears")
    redis_conn.call(
        "FUNCTION", "LOAD", "#!lua name=minigears\nredis.register_function('f', function() end)"
    )
    assert "not written by minigears" in text(
        door.script("GB('CommandReader').register(trigger='b')")
    )
    assert "not written by minigears" in text(door.call("RG.UNREGISTER", door.ids[0]))
    assert len(door.ids) == 1
    assert door.call("RG.TRIGGER", "a") == [b"['a']"]


SWAP = """
execute('RG.UNREGISTER', '{}')
GB('CommandReader').register(trigger='b')
"""


def test_what_a_script_takes_out_stays_when_that_cannot_be_stored(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script("GB('CommandReader').register(trigger='a')")
    old = door.ids
    for script in (SWAP.format(old[0]), SWAP.format(old[0]) + "1 / 0"):
        redis_conn.call("CONFIG", "SET", "maxmemory", "1")
        assert "OOM" in text(door.script(script))
        redis_conn.call("CONFIG", "SET", "maxmemory", "0")
        assert door.ids == old
    assert door.call("RG.UNREGISTER", old[0]) == b"OK"

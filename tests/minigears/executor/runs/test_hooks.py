"""Hooks in front of commands, and functions that override a reply."""

from __future__ import annotations

import hiredis
import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import RedisServer


@pytest.fixture
def door(shared_door: FakeDoor) -> FakeDoor:
    """One executor for all tests of this module: each registers its own hooks."""
    return shared_door


@pytest.fixture
def redis_server(modules_redis: RedisServer) -> RedisServer:
    """Its Redis."""
    return modules_redis


def test_call_next_goes_through_all_hooks_to_the_command(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script(
        "GB('CommandReader').map(lambda x: call_next(x[1], 'inner')).register(hook='append', mode='sync')"
    )
    door.script(
        "GB('CommandReader').map(lambda x: [call_next(*x[1:]), get_command()]).register(hook='append', mode='sync')"
    )
    first, last = door.ids
    assert door.hook([last, first], b"APPEND", b"k", b"v") == b"['5', ['APPEND', 'k', 'v']]"
    assert redis_conn.call("GET", "k") == b"inner"


def test_errors_are_the_reply(door: FakeDoor):
    door.script("GB('CommandReader').map(lambda x: 1/0).register(hook='get', mode='sync')")
    door.script("GB('CommandReader').flatmap(lambda x: []).register(hook='get', mode='sync')")
    door.script(
        "GB('CommandReader').map(lambda x: call_next('wrong', 'arity')).register(hook='get')"
    )
    failing, empty, arity = door.ids
    assert "ZeroDivisionError" in text(door.hook([failing], b"GET", b"k"))
    assert "exactly one result" in text(door.hook([empty], b"GET", b"k"))
    assert "gears.error: Invalid argument" in text(door.hook([arity], b"GET", b"k"))


def test_a_hook_that_has_gone_lets_the_command_through(door: FakeDoor):
    assert door.hook(["0" * 40 + "-7"], b"GET", b"k") is None


def test_a_hook_is_never_two_at_once(door: FakeDoor, redis_conn: BlockingConnection):
    script = """
def f(x):
    n = int(execute('GET', 'n') or 0)
    execute('SET', 'n', n + 1)
    return n
GB('CommandReader').map(f).register(hook='ping', mode='sync')
"""
    door.script(script)
    (hook,) = door.ids
    numbers = [door.ask_later("call", [hook], [b"PING"], b"default") for _ in range(20)]
    assert [n.get(timeout=30) for n in numbers] == [b"%d" % n for n in range(20)]


def test_override_reply(door: FakeDoor):
    for mode in ("sync", "async"):
        door.script(
            "GB('KeysReader').foreach(lambda x: override_reply([get_command()[0], '+st', 5]))"
            f".register(prefix='o:*', commands=['set'], mode='{mode}', readValue=False)"
        )
        assert door.event_of_command(door.ids[-1], b"o:1", "set", b"SET", b"o:1", b"v") == [
            b"SET",
            b"st",
            5,
        ]


def test_a_reply_is_left_alone_or_overridden_once(door: FakeDoor):
    door.script("GB('KeysReader').register(prefix='a', commands=['set'], mode='sync')")
    script = "GB('KeysReader').foreach(lambda x: override_reply('-ERR one')).foreach(lambda x: override_reply('two'))"
    door.script(script + ".register(prefix='b', commands=['set'], mode='sync')")
    quiet, twice = door.ids
    assert door.event_of_command(quiet, b"a", "set", b"SET", b"a", b"v") is None
    reply = door.event_of_command(twice, b"b", "set", b"SET", b"b", b"v")
    assert isinstance(reply, hiredis.ReplyError)
    assert str(reply) == "ERR one"
    assert b"Can only override reply once" in door.stats(twice)["lastError"]
    assert door.event_of_command("0" * 40 + "-7", b"a", "set", b"SET", b"a", b"v") is None


def test_what_override_reply_is_given(door: FakeDoor):
    door.script("GB().foreach(lambda x: override_reply(1, 2)).register('a', commands=['set'])")
    door.script("GB('CommandReader').map(lambda x: override_reply(1)).register(hook='get')")
    keys, hook = door.ids
    assert door.event_of_command(keys, b"a", "set", b"SET", b"a", b"v") is None
    assert b"Override reply must get a single argument" in door.stats(keys)["lastError"]
    assert "Can not get command ctx" in text(
        door.hook([hook], b"GET", b"k")
    )  # its result is the reply


REFUSED = [
    ("hook='multi'", "Can not override a command which are not allowed inside a script"),
    ("hook='eval'", "Can not override a command which are not allowed inside a script"),
    ("hook='nonsense'", "Can not override an unexisting command"),
    ("hook='xread', keyprefix='a'", "Can not override a command with moveable keys by key prefix"),
    ("hook='ping', keyprefix='a'", "by key prefix with none positive first key"),
    ("trigger='a', keyprefix='b'", "trigger argument can not be given with keyprefix or hook"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_hooks_that_redisgears_refuses(door: FakeDoor, arguments: str, words: str):
    assert words in text(door.script(f"GB('CommandReader').register({arguments})"))
    assert door.ids == []


@pytest.mark.parametrize("command", ["exec", "nonsense", "xread", "ping"])
def test_commands_that_no_registration_may_watch(door: FakeDoor, command: str):
    told = text(door.script(f"GB().register(commands=['set', '{command}'])"))
    assert ("bad reply on COMMAND" if command == "nonsense" else "Can not hook") in told
    assert door.ids == []


def test_nothing_stands_in_front_of_a_hook_that_is_not_sync(door: FakeDoor):
    hook = "GB('CommandReader').register(hook='set'{})"
    words = "Can not override a none sync registration"
    both = f"{hook.format('')}\n{hook.format('')}"
    assert f"{words} which already created on this session" in text(door.script(both))
    door.script(hook.format(", mode='sync'"))
    door.script(hook.format(""), "ID", "async")
    assert words in text(door.script(hook.format(", mode='sync'")))
    assert door.script(hook.format(""), "ID", "async", "UPGRADE") == b"OK"


def test_a_hook_stands_in_front_of_what_functions_call(
    door: FakeDoor, redis_conn: BlockingConnection
):
    hook = "GB('CommandReader').map(lambda x: call_next(x[1], x[2] + '!')).register(hook='set', "
    door.script(hook + "keyprefix='h', mode='sync')", "ID", "hook")
    door.script("execute('SET', 'h:1', 'v')\nexecute('SET', 'k', 'v')")
    assert (redis_conn.call("GET", "h:1"), redis_conn.call("GET", "k")) == (b"v!", b"v")
    door.script(hook + "keyprefix='h')", "ID", "hook", "UPGRADE")
    refused = text(door.script("execute('SET', 'h:1', 'w')"))
    assert "can not run a non-sync execution inside a MULTI/LUA" in refused
    assert redis_conn.call("GET", "h:1") == b"v!"


def test_a_hook_may_call_its_own_command(door: FakeDoor, redis_conn: BlockingConnection):
    script = """
GB('CommandReader').map(lambda x: execute('SET', x[1], 'hooked')).register(hook='set', mode='sync')
"""
    door.script(script)
    assert door.hook(door.ids, b"SET", b"k", b"v") == b"OK"
    assert redis_conn.call("GET", "k") == b"hooked"


@pytest.mark.parametrize(
    "function",
    [
        "async def f(x): return call_next(*x[1:])",
        """
async def later(x): return call_next(*x[1:])
def f(x):
    future = gearsFuture()
    runCoroutine(later(x), future)
    return future
""",
        """
from threading import Thread
def f(x):
    future = gearsFuture()
    def work(session):
        with GearsSession(session):
            future.continueRun(call_next(*x[1:]))
    Thread(target=work, args=(getGearsSession(),)).start()
    return future
""",
    ],
)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_coroutines_and_threads_of_a_hook_call_next(
    door: FakeDoor, redis_conn: BlockingConnection, function: str, mode: str
):
    door.script(
        f"{function}\nGB('CommandReader').map(f).register(hook='set', keyprefix='k', mode='{mode}')"
    )
    assert door.hook(door.ids, b"SET", b"k", b"v") == b"OK"
    assert redis_conn.call("GET", "k") == b"v"


def test_a_hook_waits_for_no_coroutine_of_the_next_one(door: FakeDoor):
    """All coroutines share a thread: who waits there would wait for ever."""
    for _ in range(2):
        door.script("""
async def f(x): return call_next(*x[1:])
GB('CommandReader').map(f).register(hook='set', keyprefix='k', mode='sync')
""")
    newest_first = door.ids[::-1]
    assert "async record is not allowed" in text(door.hook(newest_first, b"SET", b"k", b"v"))

"""What user code may call, and what it may do without harm to others."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for


def one(door: FakeDoor, expression: str) -> bytes:
    (result,) = door.results(f"GB('ShardsIDReader').map(lambda x: {expression}).run()")
    return result


def error(door: FakeDoor, function: str) -> str:
    results, errors = door.script(f"{function}\nGB('ShardsIDReader').map(f).run()")
    assert results == []
    return errors[0].decode()


ERRORS = [
    ("def f(x): raise SystemExit(3)", "SystemExit: 3"),
    ("def f(x): raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("import sys\ndef f(x): sys.exit()", "SystemExit"),
    ("def f(x): return f(x)", "RecursionError"),
    ("def f(x): execute('SUBSCRIBE', 'c')", "can not be called from a function"),
    ("def f(x): execute('MULTI')", "can not be called from a function"),
    ("def f(x): execute('CLIENT', 'REPLY', 'OFF')", "client reply can not be called"),
    ("def f(x): execute('script', 'debug', 'yes')", "script debug can not be called"),
    ("def f(x): execute(b'PING')", "the given command must be a string"),
    ("def f(x): log(1)", "Log message must be a string"),
    ("async def f(x): gearsFuture()", "can only be created inside certain execution steps"),
    (
        "import asyncio\nasync def f(x):\n with atomic(): await asyncio.sleep(1)",
        "await is not allow",
    ),
    ("async def f(x):\n with atomic(): await GB('ShardsIDReader').run()", "await is not allow"),
    ("def f(x): execute('RG.PYEXECUTE', '1')", "Can not run gears inside a multi exec"),
    ("def f(x): flat_error('flat')", "flat"),
    ("def f(x): log('message', level='loud')", "Log level should be one of"),
    ("def f(x): call_next()", "Can not get CommandHook ctx"),
    ("async def f(x): call_next()", "Can not get command hook ctx"),
    ("def f(x): execute(1)", "the given command must be a string"),
    ("def f(x): registerTE(2, 2)", "callback must be a function"),
    ("def f(x): registerTE('2', f)", "time argument must be a long"),
    ("def f(x): get_command()", "Can not get command ctx"),
    ("import redisAI\ndef f(x): redisAI.createTensorFromValues()", "RedisAI is not loaded"),
]


def test_errors(door: FakeDoor):
    for function, message in ERRORS:
        assert message in error(door, function)
        assert one(door, "'still here'") == b"still here"


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("scan", "GB().run()"),
        ("scan", "GB('KeysOnlyReader').run()"),
        ("exists", "GB().run('k')"),
        ("type", "GB().run('k')"),
        ("xread", "GB('StreamReader').run('s')"),
    ],
)
def test_a_reader_tells_what_redis_says(
    door: FakeDoor, redis_conn: BlockingConnection, command: str, script: str
):
    redis_conn.call("SET", "k", "v")
    redis_conn.call("ACL", "SETUSER", "default", f"-{command}")
    results, errors = door.script(script)
    assert results == []
    assert b"NOPERM " in errors[0]
    assert f"run the '{command}' command" in errors[0].decode()


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("what", ["sys.exit(1)", "os.fork()", "os.fork() or sys.exit()"])
def test_functions_that_leave_or_fork(
    door: FakeDoor, redis_conn: BlockingConnection, mode: str, what: str
):
    """A child that user code forked ends with its function: nothing runs twice."""
    script = f"""
import os, sys
def f(x):
    execute('INCR', 'before')
    {what}
GB('KeysReader').foreach(f).foreach(lambda x: execute('INCR', 'after')).register(mode='{mode}')
"""
    door.script(script)
    (registration,) = door.ids
    for _ in range(3):
        door.fire(registration, b"k", "set")
    assert redis_conn.call("GET", "before") == b"3"
    assert redis_conn.call("GET", "after") == (None if what == "sys.exit(1)" else b"3")
    assert one(door, "'still here'") == b"still here"


def test_megabytes_printed(door: FakeDoor):
    assert one(door, "print('x' * 5_000_000)") == b"None"
    assert door.printed.stat().st_size == 5_000_001


def test_the_executor_ends_although_its_output_is_gone(door: FakeDoor):
    thread = "threading.Thread(target=threading.Event().wait).start()"
    door.script(f"import sys, threading\nsys.stdout = None\n{thread}")
    assert door.stop() == 0


def test_blocking_commands_answer_at_once(door: FakeDoor, redis_conn: BlockingConnection):
    assert one(door, "execute('BLPOP', 'nolist', 0)") == b"None"
    assert one(door, "execute('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')") == b"None"
    assert one(door, "execute('WAIT', 5, 0)") == b"0"
    redis_conn.call("RPUSH", "list", "v")
    assert one(door, "execute('BLPOP', 'list', 0)") == b"['list', 'v']"


def test_replies_as_values(door: FakeDoor):
    assert one(door, r"execute('ECHO', b'\xff\x00')") == rb"bytearray(b'\xff\x00')"
    assert one(door, "execute('ECHO', 1.5)") == b"1.5"
    assert one(door, "execute('EVAL', \"return {1, 'a', redis.error_reply('ERR x')}\", 0)") == (
        b"[1, 'a', 'ERR x']"
    )


def test_gears_commands_inside(door: FakeDoor):
    door.script("GB('CommandReader').map(lambda x: x[1]).register(trigger='s', mode='sync')")
    door.script("GB('CommandReader').register(trigger='a')")
    assert one(door, "execute('RG.TRIGGER', 's', 'word')") == b"['word']"
    assert "can not run a non-sync execution" in error(door, "def f(x): execute('RG.TRIGGER', 'a')")
    assert one(door, "len(execute('rg.dumpregistrations'))") == b"2"
    assert one(door, "execute('RG.CONFIGGET', 'MaxExecutions')") == b"[1000]"
    assert "unknown command" in error(door, "def f(x): execute('RG.NOSUCH')")


def test_a_sync_trigger_that_triggers_another(door: FakeDoor):
    door.script(
        "GB('CommandReader').map(lambda x: execute('INCR', 'n')).register(trigger='in', mode='sync')"
    )
    door.script(
        "GB('CommandReader').map(lambda x: execute('RG.TRIGGER', 'in')).register(trigger='out', mode='sync')"
    )
    assert door.call("RG.TRIGGER", "out") == [b"['1']"]


def test_configuration(door: FakeDoor):
    assert one(door, "configGet('maxmemory-policy')") == b"None"  # Redis's own
    assert one(door, "configGet('MaxExecutions')") == b"None"  # one that no script asks for
    door.call("RG.CONFIGSET", "key", "value")
    assert one(door, "[configGet('key'), gearsConfigGet('key')]") == b"['value', 'value']"
    assert one(door, "gearsConfigGet('Key', 'other')") == b"other"


def test_a_value_that_is_not_stored_is_not_there(door: FakeDoor, redis_conn: BlockingConnection):
    door.call("RG.CONFIGSET", "key", "value")
    redis_conn.call("CONFIG", "SET", "maxmemory", "1")
    assert "OOM" in text(door.call("RG.CONFIGSET", "key", "other"))
    redis_conn.call("CONFIG", "SET", "maxmemory", "0")
    assert door.call("RG.CONFIGGET", "key") == [b"value"]


def test_packages_see_the_runtime(door: FakeDoor):
    names = "executeCommand, log, getMyHashTag, GearsFlatError, isAsyncAllow, atomic, gearsFuture"
    assert door.script(f"from redisgears import {names}\nimport gears\ngears.error") == b"OK"
    names = "GearsError, GearsForceStopped, atomicCtx, config_get, flatError, gearsFutureCtx"
    assert door.script(f"from redisgears import {names}") == b"OK"
    assert door.script("assert __name__ != '__main__'") == b"OK"


def test_the_names_of_errors(door: FakeDoor):
    script = """
def f(x):
    from redisgears import GearsError, GearsFlatError, GearsForceStopped
    return [str(error) for error in (GearsError, GearsFlatError, GearsForceStopped)]
GB('ShardsIDReader').map(f).run()
"""
    names = ["gears.error", "gears.flat_error", "gears.forcestopped"]
    assert door.results(script) == [str([f"<class '{name}'>" for name in names]).encode()]


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        ("map(lambda: 1)", "Error type: <class 'TypeError'>, Value: <lambda>() takes 0"),
        ("filter(lambda x, y: 1)", "Error type: <class 'TypeError'>, Value: <lambda>() missing 1"),
        ("countby(1)", "['Traceback (most recent call last):"),
        ("aggregate(0, 1, 2)", "['Traceback (most recent call last):"),
        ("flatmap(lambda x: [1, 'a']).sort()", "['Traceback (most recent call last):"),
        ("map(lambda x: {}).distinct()", "['Traceback (most recent call last):"),
    ],
)
def test_a_traceback_has_what_is_python_in_redisgears(door: FakeDoor, flow: str, told: str):
    """Its builder is; the call of a function is not."""
    results, [error] = door.script(f"GB('ShardsIDReader').{flow}.run()")
    assert results == []
    assert error.decode().startswith(told)


def test_calls_without_arguments_take_any(door: FakeDoor):
    calls = "hashtag(1), isAsyncAllow(1), isInAtomicBlock(1, 2)"
    door_says = door.results(f"GB('ShardsIDReader').map(lambda x: ({calls})).run()")
    assert door_says == [b"('06S', True, False)"]


def test_threads_of_user_code_may_call(door: FakeDoor, redis_conn: BlockingConnection):
    script = """
from threading import Thread
def f(x):
    def work():
        with GearsSession():
            execute('SET', 'thread', '1')
    Thread(target=work).start()
GB('CommandReader').foreach(f).register(trigger='t', mode='sync')
"""
    door.script(script)
    door.call("RG.TRIGGER", "t")
    wait_for(lambda: redis_conn.call("GET", "thread"))


def test_state_of_a_registration_is_shared_by_its_functions(door: FakeDoor):
    script = """
seen = []
def add(x): seen.append(x[1])
GB('CommandReader').foreach(add).map(lambda x: len(seen)).register(trigger='t', mode='sync')
"""
    door.script(script)
    assert [door.call("RG.TRIGGER", "t", "x") for _ in range(3)] == [[b"1"], [b"2"], [b"3"]]

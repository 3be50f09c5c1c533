"""Executions: run, ask about, abort, drop, keep so many, profile."""

from __future__ import annotations

import hiredis
import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for

ENDLESS = """
import time
def f(x):
    execute('SET', 'running', '1')
    while True: time.sleep(.01)
GB('ShardsIDReader').map(f).run()
"""


def plan(door: FakeDoor, execution: bytes) -> list:
    return door.call("RG.GETEXECUTION", execution)[0][3]


def status(door: FakeDoor, execution: bytes) -> bytes:
    return plan(door, execution)[1]


def start(door: FakeDoor, script: str) -> bytes:
    return door.script(script, "UNBLOCKING")


def test_abort_a_running_one(door: FakeDoor, redis_conn: BlockingConnection):
    execution = start(door, ENDLESS)
    wait_for(lambda: redis_conn.call("GET", "running"))
    assert status(door, execution) == b"running"
    assert text(door.call("RG.GETRESULTS", execution)) == "execution is still running"
    blocking = door.send("RG.GETRESULTSBLOCKING", execution)
    assert door.call("RG.ABORTEXECUTION", execution) == b"OK"
    results, errors = blocking.get(timeout=10)
    assert results == []
    assert b"gears.forcestopped" in errors[0]
    assert door.results("GB('ShardsIDReader').run()") == [b"1"]


CALLBACK = "RedisGearsPy_PyCallback"
EXTRACT, REPARTITION = ("extractkey", f"{CALLBACK}Extractor"), ("repartition", "repartition")
BY_KEY = ("accumulatebykey", f"{CALLBACK}AccumulateByKey")
TO_PYTHON, MAP = ("map", "RedisGearsPy_ToPyRecordMapper"), ("map", f"{CALLBACK}Mapper")
FOLDS = [("accumulate", f"{CALLBACK}Accumulate"), ("collect", "collect")]
FOLDS.append(FOLDS[0])
FLAT = [("map", f"{CALLBACK}FlatMapper"), ("flatmap", "flatmap")]
GROUPED = [EXTRACT, REPARTITION, BY_KEY, TO_PYTHON]


@pytest.mark.parametrize(
    ("flow", "steps"),
    [
        ("flatmap(lambda x: x)", FLAT),
        ("limit(1)", [("limit", "limit")]),
        ("repartition(lambda x: x)", [EXTRACT, REPARTITION, ("map", "GetValueMapper")]),
        ("localgroupby(lambda x: x, lambda k, a, r: r)", [EXTRACT, BY_KEY, TO_PYTHON]),
        ("groupby(lambda x: x, lambda k, a, r: r)", GROUPED),
        (
            "batchgroupby(lambda x: x, lambda k, r: r)",
            [EXTRACT, REPARTITION, ("group", "group"), ("reduce", f"{CALLBACK}Reducer"), TO_PYTHON],
        ),
        ("count()", FOLDS),
        ("countby()", [EXTRACT, BY_KEY, TO_PYTHON, *GROUPED]),
        ("sort()", [*FOLDS, MAP, *FLAT]),
        ("distinct()", [*FOLDS, *FLAT]),
        ("avg()", [MAP, *FOLDS, MAP]),
    ],
)
def test_the_parts_of_steps(door: FakeDoor, flow: str, steps: list[tuple[str, str]]):
    """As RedisGears shows them, the last one first."""
    execution = start(door, f"GB('ShardsIDReader').{flow}.run(convertToStr=False, collect=False)")
    shown = plan(door, execution)[15]
    kinds = [(step[1].decode(), step[5].decode()) for step in reversed(shown)]
    assert kinds == [TO_PYTHON, *steps]
    assert [step[7] == b"" for step in reversed(shown)] == [
        not name.startswith(CALLBACK) for _, name in kinds
    ]


def test_abort_many_at_once(door: FakeDoor):
    """More than there are threads: some run, some have not begun."""
    executions = [start(door, ENDLESS) for _ in range(8)]
    for execution in executions:
        door.call("RG.ABORTEXECUTION", execution)
    for execution in executions:
        assert b"forcestopped" in door.call("RG.GETRESULTSBLOCKING", execution)[1][0]
    assert door.results("GB('ShardsIDReader').run()") == [b"1"]


def test_abort_one_that_waits_for_a_coroutine(door: FakeDoor, redis_conn: BlockingConnection):
    execution = start(
        door,
        """
import asyncio
async def f(x):
    execute('SET', 'running', '1')
    await asyncio.sleep(3600)
GB('ShardsIDReader').map(f).run()
""",
    )
    wait_for(lambda: redis_conn.call("GET", "running"))
    door.call("RG.ABORTEXECUTION", execution)
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[], []]
    assert status(door, execution) == b"aborted"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_abort_a_trigger_that_waits(door: FakeDoor, mode: str):
    """Nothing has failed: what came before is its result, and it counts as aborted."""
    script = f"""
kept = []
def f(x):
    kept.append(gearsFuture())
    return kept[-1] if x == 'wait' else x
GB('CommandReader').flatmap(lambda x: x[:0:-1]).map(f).register(trigger='t', mode='{mode}')
GB('CommandReader').map(lambda x: len(kept)).register(trigger='kept', mode='sync')
"""
    assert door.script(script) == b"OK"
    asked = door.send("RG.TRIGGER", "t", "before", "wait")
    wait_for(lambda: door.call("RG.TRIGGER", "kept") == [b"2"])
    [running] = [e[1] for e in door.call("RG.DUMPEXECUTIONS") if e[3] == b"running"]
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"
    assert asked.get(timeout=60) == [b"before"]
    stats = door.stats(door.ids[0])
    assert (stats["numAborted"], stats["numFailures"], stats["lastError"]) == (1, 0, None)


def test_an_abort_in_the_middle_of_a_call_leaves_no_reply_behind(
    door: FakeDoor, redis_conn: BlockingConnection
):
    for n in range(30):
        loop = f"execute('SET', 'running', {n})\n    while True: execute('PING')"
        execution = start(door, f"def f(x):\n    {loop}\nGB('ShardsIDReader').map(f).run()")
        wait_for(lambda n=n: redis_conn.call("GET", "running") == b"%d" % n, what="the function")
        door.call("RG.ABORTEXECUTION", execution)
        assert b"forcestopped" in door.call("RG.GETRESULTSBLOCKING", execution)[1][0]
        echo = f"GB('ShardsIDReader').map(lambda x: execute('ECHO', '{n}')).run()"
        assert door.results(echo) == [b"%d" % n]


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True: execute('PING')",
        "import time; time.sleep(3600)",
        "import re; [re.sub('a', 'b', 'a') for _ in iter(int, 1)]",
        "with atomic():\n        while True: execute('GET', 'k')",
    ],
)
def test_abort_a_sync_function(door: FakeDoor, redis_conn: BlockingConnection, body: str):
    """Others that wait for the main thread, and those that wait for Redis there, are not hit."""
    door.script(
        f"""
def f(x):
    execute('SET', 'running', '1')
    {body}
GB('KeysReader').foreach(f).register(prefix='bad', mode='sync', readValue=False)
GB('KeysReader').foreach(lambda x: execute('INCR', 'good')).register(prefix='k*', mode='sync')
"""
    )
    bad, good = door.ids
    events = [(good, b"k1", "set"), (bad, b"bad", "set"), (good, b"k2", "set")]
    numbers = door.events(events)
    wait_for(lambda: redis_conn.call("GET", "running"), what="the function")
    executions = [row[1] for row in door.call("RG.DUMPEXECUTIONS")]
    [running] = [e for e in executions if "<function f" in str(plan(door, e))]
    assert status(door, running) == b"running"
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"
    door.wait_done(*numbers)
    assert redis_conn.call("GET", "good") == b"2"
    stats = door.stats(bad)
    assert (stats["numAborted"], stats["numFailures"]) == (0, 1)  # it had begun
    assert b"gears.forcestopped" in stats["lastError"]
    assert door.stats(good)["numSuccess"] == 2
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"  # as of one that is done
    door.fire(good, b"k3", "set")


def test_abort_what_waits_for_its_turn(door: FakeDoor, redis_conn: BlockingConnection):
    """It ends at once, without having run: its trigger answers, and it counts as aborted."""
    script = """
import time
def wait(x):
    while not execute('EXISTS', 'go'):
        time.sleep(0.01)
GB('CommandReader').foreach(wait).register(trigger='wait')
"""
    assert door.script(script) == b"OK"
    asked = [door.send("RG.TRIGGER", "wait", str(n)) for n in range(4)]
    in_state = lambda wanted: [  # noqa: E731
        e[1] for e in door.call("RG.DUMPEXECUTIONS") if e[3] == wanted
    ]
    wait_for(lambda: len(in_state(b"running")) == 3 and len(in_state(b"created")) == 1)
    (waiting,) = in_state(b"created")
    assert door.call("RG.ABORTEXECUTION", waiting) == b"OK"
    assert asked[3].get(timeout=60) == []
    stats = door.stats(door.ids[0])
    assert (stats["numTriggered"], stats["numAborted"], stats["lastError"]) == (4, 1, None)
    run = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.ABORTEXECUTION", run) == b"OK"
    assert status(door, run) == b"aborted"
    assert door.call("RG.GETRESULTS", run) == [[], []]
    assert door.call("RG.DROPEXECUTION", run) == b"OK"
    redis_conn.call("SET", "go", "1")
    for reply in asked[:3]:
        assert reply.get(timeout=60) != []
    assert door.results("GB('ShardsIDReader').run()") == [b"1"]


def test_drop(door: FakeDoor):
    execution = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[b"1"], []]
    assert door.call("RG.DROPEXECUTION", execution) == b"OK"
    assert text(door.call("RG.GETRESULTS", execution)) == "execution plan does not exist"
    endless = "0" * 40 + "-" + "9" * 5000
    assert text(door.call("RG.ABORTEXECUTION", endless)) == "execution does not exist"


def test_so_many_are_kept(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutions", "3")
    executions = []
    for _ in range(5):
        executions.append(start(door, "GB('ShardsIDReader').run()"))
        door.call("RG.GETRESULTSBLOCKING", executions[-1])
    kept = [row[1] for row in door.call("RG.DUMPEXECUTIONS")]
    assert kept == executions[:1:-1]


def test_what_was_dropped_takes_nobodys_room(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutions", "3")
    first, second, third = (start(door, "GB('ShardsIDReader').run()") for _ in range(3))
    for execution in (first, second, third):
        door.call("RG.GETRESULTSBLOCKING", execution)
    door.call("RG.DROPEXECUTION", third)
    for _ in range(3):
        door.results("GB('ShardsIDReader').run()")  # dropped, too, once its client has the results
    assert [row[1] for row in door.call("RG.DUMPEXECUTIONS")] == [second, first]


def test_those_beyond_a_registrations_limit_take_nobodys_room(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutions", "3", "MaxExecutionsPerRegistration", "1")
    execution = start(door, "GB('ShardsIDReader').run()")
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    for _ in range(5):
        door.fire(door.ids[0], b"k", "set")
    assert [row[5] for row in door.call("RG.DUMPEXECUTIONS")] == [1, 0]
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[b"1"], []]


def test_one_that_still_runs_makes_room_when_it_ends(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.call("RG.CONFIGSET", "MaxExecutions", "1")
    wait = "while not execute('EXISTS', 'go'): __import__('time').sleep(0.01)"
    slow = start(door, f"def f(x):\n    {wait}\nGB('ShardsIDReader').map(f).run()")
    quick = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.GETRESULTSBLOCKING", quick) == [[b"1"], []]
    assert [row[1] for row in door.call("RG.DUMPEXECUTIONS")] == [quick, slow]
    redis_conn.call("SET", "go", "1")
    wait_for(lambda: [row[1] for row in door.call("RG.DUMPEXECUTIONS")] == [quick])


def test_a_run_that_its_client_waits_for_is_listed_and_can_be_aborted(
    door: FakeDoor, redis_conn: BlockingConnection
):
    waiting = door.send("RG.PYEXECUTE", ENDLESS)
    wait_for(lambda: redis_conn.call("GET", "running"))
    ((_, execution, _, state, _, registered),) = door.call("RG.DUMPEXECUTIONS")
    assert (state, registered) == (b"running", 0)
    assert door.call("RG.ABORTEXECUTION", execution) == b"OK"
    results, errors = waiting.get(timeout=10)
    assert results == []
    assert b"gears.forcestopped" in errors[0]
    assert door.call("RG.DUMPEXECUTIONS") == []


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_that_is_not_positive_is_none(door: FakeDoor, limit: str):
    door.call("RG.CONFIGSET", "MaxExecutions", limit, "MaxExecutionsPerRegistration", limit)
    for _ in range(2):
        door.call("RG.GETRESULTSBLOCKING", start(door, "GB('ShardsIDReader').run()"))
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    for _ in range(3):
        door.fire(door.ids[0], b"k", "set")
    assert len(door.call("RG.DUMPEXECUTIONS")) == 5


def test_so_many_are_kept_of_a_registration(door: FakeDoor):
    door.call("RG.CONFIGSET", "MaxExecutionsPerRegistration", "2")
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    (registration,) = door.ids
    for _ in range(5):
        door.fire(registration, b"k", "set")
    assert len(door.call("RG.DUMPEXECUTIONS")) == 2
    door.call("RG.UNREGISTER", registration)
    assert door.call("RG.DUMPEXECUTIONS") == []


def test_a_script_that_registers_uses_one_id_up(door: FakeDoor):
    """Recorded: executions 195 to 197, a script that registers, 199, another one, 201."""
    started = [start(door, "GB('ShardsIDReader').run()")]
    door.script("GB().register(prefix='a')\nGB().register(prefix='b')")
    started.append(start(door, "GB('ShardsIDReader').run()"))
    door.script("nonsense")
    started.append(start(door, "GB('ShardsIDReader').run()"))
    assert [int(name.partition(b"-")[2]) for name in started] == [0, 2, 3]


def test_those_of_a_registration_that_run_make_room_when_they_end(
    door: FakeDoor, redis_conn: BlockingConnection
):
    """There were more than are kept while none of them could go."""
    door.call("RG.CONFIGSET", "MaxExecutionsPerRegistration", "1")
    wait = "while not execute('EXISTS', 'go'): __import__('time').sleep(0.01)"
    door.script(f"""
def f(x):
    {wait}
GB('KeysReader').foreach(f).register(prefix='k', mode='async', readValue=False)
""")
    numbers = [door.event(door.ids[0], b"k", "set") for _ in range(6)]
    wait_for(lambda: len(door.call("RG.DUMPEXECUTIONS")) == 6)
    redis_conn.call("SET", "go", "1")
    door.wait_done(*numbers)
    wait_for(lambda: len(door.call("RG.DUMPEXECUTIONS")) == 1)


@pytest.mark.parametrize("number", ["+1", "--5", "\u00b2", "", "9" * 30])
def test_a_number_that_is_none_is_refused(door: FakeDoor, number: str):
    door.script("GB('KeysReader').register(prefix='k', mode='sync', readValue=False)")
    (refused,) = door.call("RG.CONFIGSET", "MaxExecutions", number)
    assert text(refused) == "(error) Failed setting config value MaxExecutions"
    door.fire(door.ids[0], b"k", "set")
    assert door.call("RG.CONFIGGET", "MaxExecutions") == [1000]


def test_a_profiled_session(door: FakeDoor):
    door.call("RG.CONFIGSET", "ProfileExecutions", "1")
    assert door.results("GB('ShardsIDReader').map(lambda x: x * 2).run()") == [b"11"]
    script = """
def double(x):
    return x * 2
def one(x):
    return 1
GB('CommandReader').repartition(one).map(lambda x: double(x[1])).register(trigger='t')
"""
    door.script(script, "ID", "profiled")
    assert door.call("RG.TRIGGER", "t", "ab") == [b"abab"]
    assert b"double" in door.call("RG.PYPROFILE", "STATS", "profiled")
    assert b"(one)" in door.call("RG.PYPROFILE", "STATS", "profiled")
    assert b"double" in door.call("RG.PYPROFILE", "STATS", "profiled", "calls")
    assert text(door.call("RG.PYPROFILE", "STATS", "profiled", "x")) == "Unknown order x"
    assert door.call("RG.PYPROFILE", "RESET", "profiled") == b"OK"
    assert "No profile information" in text(door.call("RG.PYPROFILE", "STATS", "profiled"))
    assert text(door.call("RG.PYPROFILE", "STATS", "nobody")) == "session does not exists"
    assert text(door.call("RG.PYPROFILE", "x", "y")) == "Wrong subcommand given to RG.PYPROFILE"


def test_the_profiler_is_seen_in_no_error(door: FakeDoor):
    fails, no_argument = (
        "GB('ShardsIDReader').map(lambda x: 1 / 0)",
        "GB('ShardsIDReader').map(lambda: 1)",
    )
    plain = [door.script(f"{flow}.run()") for flow in (fails, no_argument)]
    door.call("RG.CONFIGSET", "ProfileExecutions", "1")
    assert [door.script(f"{flow}.run()") for flow in (fails, no_argument)] == plain


def test_the_function_that_run_adds_is_told_as_one_of_run(door: FakeDoor):
    execution = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[b"1"], []]
    shown = [step[7] for step in plan(door, execution)[15] if step[7]]
    assert [arg.partition(b" at ")[0] for arg in shown] == [
        b"<function GearsBuilder.run.<locals>.<lambda>"
    ]


@pytest.mark.parametrize("script", ["while True: pass", "raise SystemExit", "import os; os.fork()"])
def test_introspection_is_answered_whatever_runs(door: FakeDoor, script: str):
    running = door.send("RG.PYEXECUTE", script)
    assert door.call("RG.DUMPREGISTRATIONS") == []
    if "while" not in script:
        reply = running.get(timeout=10)
        assert reply == b"OK" or isinstance(reply, hiredis.ReplyError)

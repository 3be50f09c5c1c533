"""Futures and coroutines: what they bring, and that none leaves a client waiting."""

from __future__ import annotations

import pytest

from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for


@pytest.fixture
def door(shared_door: FakeDoor) -> FakeDoor:
    """One executor for all tests of this module: what waits is over with its test."""
    return shared_door


def error(door: FakeDoor, function: str, flow: str = "map(f)") -> str:
    """The error of a run of function `f`."""
    results, errors = door.script(f"{function}\nGB('ShardsIDReader').{flow}.run()")
    assert results == []
    return errors[0].decode()


POLICED = [
    ("def f(x):\n r = gearsFuture()\n r.continueRun(1)\n return r", "untill it returned from the"),
    (
        "def f(x):\n gearsFuture()\n return gearsFuture()",
        "Can not create async record twice on the",
    ),
    ("def f(x): return gearsFuture()", "Async record did not called continue"),
    ("def f(x):\n with atomic(): return gearsFuture()", "inside an atomic block"),
    ("def f(x):\n with atomic(): atomic().__enter__()", "Already inside an atomic block"),
    ("def f(x):\n r = gearsFuture()\n r.continueFailed('because')\n return r", "because"),
    ("def f(x):\n r = gearsFuture()\n r.continueFailed()", "Continue function expect an object"),
]


@pytest.mark.parametrize(("function", "words"), POLICED)
def test_a_future_that_is_misused_is_an_error_of_the_run(door: FakeDoor, function: str, words: str):
    assert words in error(door, function)


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
def test_a_future_that_is_not_returned_is_void(door: FakeDoor, mode: str):
    """Nobody waits for it, though it is kept, and nobody may continue it."""
    script = f"""
kept = []
def f(x):
    kept.append(gearsFuture())
    return 5
GB('CommandReader').map(f).register(trigger='t', mode='{mode}')
GB('CommandReader').map(lambda x: kept[0].continueRun(1)).register(trigger='go', mode='{mode}')
"""
    door.script(script)
    assert door.call("RG.TRIGGER", "t") == [b"5"]
    assert "Can not continue with the same future twice" in text(door.call("RG.TRIGGER", "go"))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_what_a_coroutine_raises_is_told_without_a_traceback(door: FakeDoor, mode: str):
    """So it may be an error of its own kind to a client, or `PAUSE` a stream."""
    function = "async def f(x): raise ValueError('MYERR as it is')"
    register = f"register(trigger='raises', mode='{mode}')"
    door.script(f"{function}\nGB('CommandReader').map(f).{register}", "ID", mode)
    assert text(door.call("RG.TRIGGER", "raises")) == "MYERR as it is"
    door.call("RG.UNREGISTER", door.ids[-1])


def test_a_reducer_that_makes_a_future_and_returns_a_coroutine_gives_none(door: FakeDoor):
    function = """
async def late(): return 1
def f(*x):
    kept = gearsFuture()
    return late()
"""
    assert door.results(f"{function}GB('ShardsIDReader').accumulate(f).run()") == [b"None"]


COROUTINE, FUTURE = "async def f(*x): pass", "def f(*x): return gearsFuture()"


@pytest.mark.parametrize(
    ("function", "flow", "words"),
    [
        (FUTURE, "repartition(f)", "Step does not support async"),
        (FUTURE, "batchgroupby(lambda x: x, f)", "Step does not support async"),
        (FUTURE, "batchgroupby(f, lambda k, r: r)", "Step does not support async"),
        (COROUTINE, "repartition(f)", "coroutine are not allow on extractor"),
        (COROUTINE, "groupby(f, lambda k, a, r: r)", "coroutine are not allow on extractor"),
        (COROUTINE, "batchgroupby(lambda x: x, f)", "coroutine are not allow on reduce"),
    ],
)
def test_steps_that_cannot_wait(door: FakeDoor, function: str, flow: str, words: str):
    told = error(door, function, flow)
    assert told == words if function == COROUTINE else words in told


def test_a_future_at_the_top_of_a_script(door: FakeDoor):
    words = "Future object can only be created inside certain execution steps"
    assert words in text(door.script("gearsFuture()"))


@pytest.mark.parametrize("end", ["return 1", "raise ValueError"])
@pytest.mark.parametrize("flow", ["accumulate(f)", "groupby(lambda x: 'k', f)"])
def test_a_future_that_a_reducer_drops_is_none(door: FakeDoor, flow: str, end: str):
    function = f"def f(*x):\n kept = gearsFuture()\n {end}"
    [result] = door.results(f"{function}\nGB('ShardsIDReader').{flow}.run()")
    assert b"None" in result


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_one_trigger_continues_what_others_wait_for(door: FakeDoor, mode: str):
    script = """
waiting = []
def block(x):
    waiting.append(gearsFuture())
    return waiting[-1]
def release(x):
    waiting.pop(0).continueRun('released')
GB('CommandReader').map(block).register(trigger='block', mode='MODE')
GB('CommandReader').map(release).register(trigger='release', mode='sync')
GB('CommandReader').map(lambda x: len(waiting)).register(trigger='waiting', mode='sync')
"""
    door.script(script.replace("MODE", mode))
    blocked = [door.send("RG.TRIGGER", "block") for _ in range(3)]
    while door.call("RG.TRIGGER", "waiting") != [b"3"]:
        pass
    for reply in blocked:
        assert door.call("RG.TRIGGER", "release") == [b"None"]
        assert reply.get(timeout=30) == [b"released"]


def test_a_sync_function_may_wait(door: FakeDoor):
    door.script(
        "async def f(x): return 5\nGB('CommandReader').map(f).register(trigger='t', mode='sync')"
    )
    door.script(
        "GB('CommandReader').map(lambda x: isAsyncAllow()).register(trigger='u', mode='sync')"
    )
    assert door.call("RG.TRIGGER", "t") == [b"5"]
    assert door.call("RG.TRIGGER", "u") == [b"True"]


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
def test_a_coroutine_may_not_return_what_comes_later(door: FakeDoor, mode: str):
    script = f"""
async def f(x): return [isAsyncAllow(), isInAtomicBlock()]
GB('CommandReader').map(f).register(trigger='t', mode='{mode}')
"""
    door.script(script)
    assert door.call("RG.TRIGGER", "t") == [b"[False, False]"]


@pytest.mark.parametrize("step", ["map", "filter", "foreach", "flatmap"])
@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
def test_of_an_error_of_a_coroutine_the_client_gets_the_message(
    door: FakeDoor, step: str, mode: str
):
    script = f"""
async def f(x): raise ValueError('-ERR what it says')
GB('CommandReader').{step}(f).register(trigger='t', mode='{mode}')
"""
    door.script(script)
    assert text(door.call("RG.TRIGGER", "t")) == "-ERR what it says"


@pytest.mark.parametrize(
    "end", ["setFutureResults(f, 5)", "setFutureException(f, ValueError('no'))"]
)
def test_a_future_that_coroutines_wait_for(door: FakeDoor, end: str):
    """Any thread may give it its value: here it is a plain function's."""
    script = f"""
waiting = []
async def block(x):
    waiting.append(createFuture())
    return await waiting[-1]
def go(x):
    for f in waiting: {end}
GB('CommandReader').map(block).register(trigger='block')
GB('CommandReader').map(go).register(trigger='go', mode='sync')
GB('CommandReader').map(lambda x: len(waiting)).register(trigger='waiting', mode='sync')
"""
    door.script(script)
    blocked = [door.send("RG.TRIGGER", "block") for _ in range(3)]
    while door.call("RG.TRIGGER", "waiting") != [b"3"]:
        pass
    door.call("RG.TRIGGER", "go")
    for reply in blocked:
        said = reply.get(timeout=30)
        assert said == [b"5"] or text(said) == "no"


def test_a_sync_function_that_waits_is_aborted(door: FakeDoor):
    script = """
kept = []
def f(x):
    kept.append(gearsFuture())
    return kept[-1]
GB('CommandReader').map(f).register(trigger='t', mode='sync')
GB('CommandReader').map(lambda x: len(kept)).register(trigger='kept', mode='sync')
"""
    door.script(script)
    reply = door.send("RG.TRIGGER", "t")
    while door.call("RG.TRIGGER", "kept") != [b"1"]:
        pass
    door.call("RG.UNREGISTER", door.ids[0], "ABORTPENDING")
    assert reply.get(timeout=30) == []


def test_a_future_that_is_continued_twice(door: FakeDoor):
    script = """
import threading
kept = []
def f(x):
    kept.append(gearsFuture())
    return kept[-1]
def go(x):
    kept[0].continueRun(1)
    kept[0].continueRun(2)
GB('CommandReader').map(f).register(trigger='t')
GB('CommandReader').map(lambda x: len(kept)).register(trigger='kept')
GB('CommandReader').map(go).register(trigger='go')
"""
    door.script(script)
    reply = door.send("RG.TRIGGER", "t")
    while door.call("RG.TRIGGER", "kept") != [b"1"]:
        pass
    assert "Can not continue with the same future twice" in text(door.call("RG.TRIGGER", "go"))
    assert reply.get(timeout=30) == [b"1"]


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
@pytest.mark.parametrize("step", ["map", "filter", "foreach", "flatmap"])
def test_a_value_that_comes_later_holds_up_no_other_record(door: FakeDoor, mode: str, step: str):
    """The last record's function is the one that continues the first one's future."""
    script = f"""
kept = []
def wait(x):
    kept.append(gearsFuture())
    if len(kept) == 3:
        import threading
        threading.Timer(0.01, lambda: [kept.pop().continueRun(x) for _ in range(3)]).start()
    return kept[-1]
GB('CommandReader').flatmap(lambda x: x[:0:-1]).{step}(wait).count().register(trigger='t', mode='{mode}')
"""
    assert door.script(script) == b"OK"
    assert door.call("RG.TRIGGER", "t", "1", "2", "3") == [b"3"]


def test_results_stand_in_the_order_of_the_records(door: FakeDoor):
    script = """
import asyncio
async def wait(x):
    await asyncio.sleep(0.05 / x)
    return x
GB('PythonReader').map(wait).filter(wait).run(lambda: iter([1, 5, 2]))
"""
    assert door.results(script) == [b"1", b"5", b"2"]


def test_an_abort_ends_all_that_a_run_waits_for(door: FakeDoor):
    script = """
import asyncio
began, ended = [], []
async def wait(x):
    began.append(x)
    try: await asyncio.sleep(600)
    finally: ended.append(x)
GB('CommandReader').flatmap(lambda x: x[1:]).map(wait).register(trigger='wait')
GB('CommandReader').map(lambda x: (len(began), len(ended))).register(trigger='count', mode='sync')
"""
    assert door.script(script) == b"OK"
    asked = door.send("RG.TRIGGER", "wait", "1", "2")
    wait_for(lambda: door.call("RG.TRIGGER", "count") == [b"(2, 0)"])
    (running,) = [e[1] for e in door.call("RG.DUMPEXECUTIONS") if e[3] == b"running"]
    assert door.call("RG.ABORTEXECUTION", running) == b"OK"
    assert asked.get(timeout=60) == []
    wait_for(lambda: door.call("RG.TRIGGER", "count") == [b"(2, 2)"])


def test_coroutines_and_futures(door: FakeDoor):
    script = """
import asyncio, threading
async def wait(x):
    await asyncio.sleep(.001)
    return [x, 'later']
def future(x):
    f = gearsFuture()
    runCoroutine(wait(x), f)
    return f
GB('ShardsIDReader').map(future).map(wait).run()
"""
    assert door.results(script) == [b"[['1', 'later'], 'later']"]


def test_sync_functions_may_each_run_a_loop(door: FakeDoor):
    door.script("""
import asyncio
async def count():
    execute('INCR', 'n')
GB('KeysReader').foreach(lambda x: asyncio.run(count())) \\
    .register(mode='sync', readValue=False)
""")
    (registration,) = door.ids
    door.wait_done(*door.events([(registration, b"k%d" % n, "set") for n in range(20)]))
    assert door.stats(registration)["lastError"] is None
    assert door.results("GB('ShardsIDReader').map(lambda x: execute('GET', 'n')).run()") == [b"20"]


def test_waiting_takes_no_thread(door: FakeDoor):
    """Many functions wait for what one later function does."""
    waiting = """
import asyncio
async def f(x):
    while not execute('EXISTS', 'go'): await asyncio.sleep(.01)
    return 'went'
GB('CommandReader').map(f).register(trigger='wait')
GB('CommandReader').map(lambda x: execute('SET', 'go', '1')).register(trigger='go')
"""
    door.script(waiting)
    replies = [door.send("RG.TRIGGER", "wait") for _ in range(20)]
    assert door.call("RG.TRIGGER", "go") == [b"OK"]
    assert [reply.get(timeout=30) for reply in replies] == [[b"went"]] * 20

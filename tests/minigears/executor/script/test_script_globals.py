"""The globals of a script: one dictionary for all its functions, after a restart, too."""

from __future__ import annotations

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for

COUNTERS = """
n = [0]
def step():
    n[0] += 1
    return n[0]
def a(x): return step()
def b(x):
    global total
    total = step() * 10
    return total
GB('CommandReader').map(a).register(trigger='a', mode='sync')
GB('CommandReader').map(b).register(trigger='b', mode='async')
GB('CommandReader').map(lambda x: total).register(trigger='total')
"""


def test_functions_of_a_script_share_its_globals(door: FakeDoor):
    door.script(COUNTERS)
    assert door.call("RG.TRIGGER", "a") == [b"1"]
    assert door.call("RG.TRIGGER", "b") == [b"20"]
    assert door.call("RG.TRIGGER", "total") == [b"20"]


def test_they_share_them_after_a_restart(door: FakeDoor):
    door.script(COUNTERS)
    door.call("RG.TRIGGER", "a")
    door.kill()
    door.start()
    assert door.call("RG.TRIGGER", "b") == [b"10"]
    assert door.call("RG.TRIGGER", "a") == [b"2"]
    assert door.call("RG.TRIGGER", "total") == [b"10"]


def test_scripts_share_nothing(door: FakeDoor):
    for name in "ab":
        door.script(
            f"n = []\nGB('CommandReader').map(lambda x: n.append(1) or len(n)).register(trigger='{name}')"
        )
    assert door.call("RG.TRIGGER", "a") == [b"1"]
    assert door.call("RG.TRIGGER", "b") == [b"1"]


def test_what_happens_after_register_is_seen(door: FakeDoor):
    door.script("g = []\nGB('CommandReader').map(lambda x: g).register(trigger='t')\ng.append(1)")
    assert door.call("RG.TRIGGER", "t") == [b"[1]"]
    door.kill()
    door.start()
    assert door.call("RG.TRIGGER", "t") == [b"[1]"]


def test_what_cannot_be_stored_later_is_stored_as_it_was(door: FakeDoor):
    script = """
import threading
g = {}
GB('CommandReader').map(lambda x: sorted(g)).register(trigger='t')
g['lock'] = threading.Lock()
"""
    door.script(script)
    assert door.call("RG.TRIGGER", "t") == [b"['lock']"]
    door.kill()
    door.start()
    assert door.call("RG.TRIGGER", "t") == [b"[]"]


def test_pieces_share_the_globals_after_a_restart(door: FakeDoor, redis_conn: BlockingConnection):
    """One piece for all cannot be made, as the script has got a lock meanwhile."""
    script = """
import threading
n = [0]
def step(x):
    n[0] += 1
    return n[0]
def used(x): return lock and step(x)
GB('CommandReader').map(step).register(trigger='a')
GB('CommandReader').map(used).register(trigger='b')
lock = threading.Lock()
registerTE(0, lambda: execute('SET', 'seen', n[0]), 'timer')
GB('CommandReader').map(lambda x: eval('step(x)')).register(trigger='c')
"""
    door.script(script)
    door.kill()
    door.start()
    assert [door.call("RG.TRIGGER", name) for name in "aac"] == [[b"1"], [b"2"], [b"3"]]
    wait_for(lambda: redis_conn.call("GET", "seen") == b"3", what="the timer to see the same")


def test_a_function_that_cannot_be_pickled_is_refused(door: FakeDoor):
    script = "import threading\nl = threading.Lock()\ndef f(x): return l\n"
    refused = text(door.script(f"{script}GB().map(f).register()"))
    assert "Error occured when serialized a python callback, callback=f error=" in refused
    assert door.ids == []


def test_objects_of_the_runtime_say_what_they_are(door: FakeDoor):
    script = "GB('ShardsIDReader').map(lambda x: {}).run()"
    for made, named in (
        ("type(gearsFuture())", b"<class 'redisgears.Future'>"),
        ("type(atomic())", b"<class 'redisgears.PyAtomic'>"),
        ("type(getGearsSession())", b"<class 'redisgears.PyExecutionSession'>"),
        ("getGearsSession()", b"PyExecutionSession"),
        ("isinstance(gearsFuture(), redisgears.PyFuture)", b"True"),
    ):
        assert door.results(script.format(made)) == [named]
    door.script("GB('CommandReader').map(lambda x: atomic).register(trigger='t')")
    door.kill()
    door.start()
    assert door.call("RG.TRIGGER", "t") == [b"<class 'redisgears.PyAtomic'>"]

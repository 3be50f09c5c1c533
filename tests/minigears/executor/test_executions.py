"""Executions: run, ask about, abort, drop, profile."""

from fakedoor import FakeDoor, text

SLEEPER = """
import time
def f(x):
    while True: time.sleep(.01)
GB('ShardsIDReader').map(f).run()
"""


def status(door: FakeDoor, execution: str) -> bytes:
    plan = door.call("RG.GETEXECUTION", execution)[0][3]
    return plan[1]


def test_profiled_run_ends_and_is_reported(door: FakeDoor):
    door.call("RG.CONFIGSET", "ProfileExecutions", "1")
    assert door.results("GB('ShardsIDReader').map(lambda x: x * 2).run()") == [b"11"]
    door.script(
        "def double(x):\n    return x * 2\nGB('CommandReader').map(lambda x: double(x[1])).register(trigger='t')",
        "ID",
        "profiled",
    )
    assert door.call("RG.TRIGGER", "t", "ab") == [b"abab"]
    assert b"double" in door.call("RG.PYPROFILE", "STATS", "profiled")
    assert door.call("RG.PYPROFILE", "RESET", "profiled") == b"OK"
    assert b"double" not in door.call("RG.PYPROFILE", "STATS", "profiled")
    assert text(door.call("RG.PYPROFILE", "STATS", "nobody")) == "Session nobody does not exists"

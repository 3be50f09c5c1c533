"""Executions: their steps, their ids, dropping and profiling them."""

from __future__ import annotations

import hiredis
import pytest

from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.executor.flow.started import plan, start

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


def test_drop(door: FakeDoor):
    execution = start(door, "GB('ShardsIDReader').run()")
    assert door.call("RG.GETRESULTSBLOCKING", execution) == [[b"1"], []]
    assert door.call("RG.DROPEXECUTION", execution) == b"OK"
    assert text(door.call("RG.GETRESULTS", execution)) == "execution plan does not exist"
    endless = "0" * 40 + "-" + "9" * 5000
    assert text(door.call("RG.ABORTEXECUTION", endless)) == "execution does not exist"


def test_a_script_that_registers_uses_one_id_up(door: FakeDoor):
    """Recorded: executions 195 to 197, a script that registers, 199, another one, 201."""
    started = [start(door, "GB('ShardsIDReader').run()")]
    door.script("GB().register(prefix='a')\nGB().register(prefix='b')")
    started.append(start(door, "GB('ShardsIDReader').run()"))
    door.script("nonsense")
    started.append(start(door, "GB('ShardsIDReader').run()"))
    assert [int(name.partition(b"-")[2]) for name in started] == [0, 2, 3]


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

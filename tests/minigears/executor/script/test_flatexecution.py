"""Describing a flow: what counts as a function, and what lies inside a GearsBuilder."""

from __future__ import annotations

import pytest

from tests.minigears.executor.fakedoor import FakeDoor, text


@pytest.fixture
def door(shared_door: FakeDoor) -> FakeDoor:
    """One executor for all tests of this module: what is refused leaves no trace."""
    return shared_door


ONE = ["map", "filter", "flatmap", "foreach", "accumulate", "repartition"]


@pytest.mark.parametrize(
    "step",
    [
        *[(f"{name}(VALUE)", name) for name in ONE],
        ("localgroupby(VALUE, lambda k, a, r: r)", "groupby extractor"),
        ("groupby(lambda r: r, VALUE)", "groupby reducer"),
        ("batchgroupby(VALUE, lambda k, r: r)", "batchgroupby extractor"),
        ("run(VALUE)", "pyreader"),
        ("register(onRegistered=VALUE)", "OnRegistered"),
    ],
)
@pytest.mark.parametrize(
    "value",
    ["str", "len", "execute", "log", "override_reply", "partial(print)", "[].append", "A().f", "A"],
)
def test_a_step_takes_functions_of_python_and_nothing_else(
    door: FakeDoor, step: tuple[str, str], value: str
):
    """What RedisGears's runtime has in C is no function of Python: `map(execute)` is refused."""
    call, told = step
    script = "class A:\n  def f(self, x): return x\n"
    script += f"GB('PythonReader').{call.replace('VALUE', value)}"
    assert f"gears.error: {told} argument must be a function" in text(door.script(script))


def test_a_timer_takes_them_neither(door: FakeDoor):
    assert "callback must be a function" in text(door.script("registerTE(1, hashtag)"))


def test_what_the_runtime_has_in_python_is_taken(door: FakeDoor):
    door.script("execute('RG.CONFIGSET', 'x', 'y')")
    flow = "GB('PythonReader').map(gearsConfigGet).run(lambda: (yield 'x'))"
    assert door.results(flow) == [b"y"]
    assert door.results("GB('PythonReader', shardReaderCallback).run()") == [b"1"]


def test_arguments_of_steps_have_no_names(door: FakeDoor):
    told = text(door.script("GB().map(function=lambda x: x)"))
    assert "TypeError" in told
    assert "got an unexpected keyword argument 'function'" in told


def test_gears_ctx_is_a_flow_to_which_nothing_is_added(door: FakeDoor):
    door.script("execute('SET', 'k', 1)")
    assert door.results("gearsCtx().map(lambda x: 7).run('k')") == [7]
    assert door.results("gearsCtx().map(lambda x: 7).run()") == [7]
    assert door.results("redisgears.gearsCtx('PythonReader').run(shardReaderCallback)") == [b"1"]
    door.script("x = gearsCtx('CommandReader', 'what').register(trigger='t')")
    assert door.call("RG.TRIGGER", "t", "a") == [[b"t", b"a"]]
    assert door.call("RG.DUMPREGISTRATIONS")[0][4:6] == [b"desc", b"what"]


def test_a_builder_has_one_inside(door: FakeDoor):
    script = "g = GB('PythonReader', shardReaderCallback)\ng.gearsCtx.map(lambda x: x + '!')\n"
    assert door.results(f"{script}g.map(lambda x: x + '?').run()") == [b"1!?"]
    names = "[g.realReader, g.reader, g.defaultArg, str(g.gearsCtx), type(g.gearsCtx) is PyFlatExecution]"
    told = text(door.script(f"g = GB('ShardsIDReader', 'x')\nraise Exception({names})"))
    assert "['ShardsIDReader', 'PythonReader', 'x', 'PyFlatExecution', True]" in told


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("gearsCtx(1)", "reader argument must be a string"),
        ("gearsCtx('KeysReader', 1)", "desc argument must be a string"),
        ("gearsCtx('NoReader', 1)", "desc argument must be a string"),
        ("gearsCtx('NoReader')", "The given reader does not exists"),
        ("gearsCtx('ShardsIDReader')", "The given reader does not exists"),
        ("gearsCtx('PythonReader').run()", "python reader function is not given"),
        ("GB('ShardIDReader').run()", "Given reader do not support run or not exists"),
        ("GB('ShardIDReader').register()", "given reader does not exists"),
        ("GB('ShardsIDReader').register()", "given reader does not exists"),
    ],
)
def test_what_it_refuses(door: FakeDoor, call: str, words: str):
    assert f"gears.error: {words}" in text(door.script(call))


def test_the_keys_only_reader_is_a_function_for_the_python_reader(door: FakeDoor):
    door.script("for n in range(3): execute('SET', 'k%d' % n, n)")
    run = "GB('PythonReader', createKeysOnlyReader({})).run()"
    assert sorted(door.results(run.format("'k*'"))) == [b"k0", b"k1", b"k2"]
    assert door.results(run.format("'k1', noScan=True")) == [b"k1"]
    assert door.results(run.format("patternGenerator=lambda: ('k2', True)")) == [b"k2"]


def test_old_names_say_that_they_are_old(door: FakeDoor):
    door.script("execute('RG.CONFIGSET', 'x', 'y')")
    flow = "GB('PythonReader').map({}).run(lambda: (yield 'x'))"
    assert door.results(flow.format("ConfigGet")) == [b"y"]
    assert door.results(flow.format("GearsConfigGet")) == [b"y"]
    assert door.results(flow.format("Log")) == [b"None"]

"""Operations, without a server."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from minigears.address import Address
from minigears.executor.errors import GearsError, GearsFlatError
from minigears.executor.flow.operations import Run
from minigears.executor.redis.calls import AtomicGate, BlockingCaller
from minigears.executor.script.builder import GearsBuilder
from minigears.executor.usercode.calling import user_call
from minigears.executor.usercode.context import Context, current


class Recorder:
    """Stands where a script stands: takes what builders ask for."""

    def __init__(self) -> None:
        self.built = 0
        self.steps: list[Any] = []

    def builder_made(self) -> None:
        self.built += 1

    def request_run(self, reader: str, steps: Any, arg: Any, options: Any) -> None:
        self.steps = list(steps)


@pytest.fixture
def script():
    recorder = Recorder()
    nowhere = BlockingCaller(Address(path="/nowhere"), AtomicGate())
    token = current.set(Context(nowhere, script=recorder))  # type: ignore[arg-type]
    yield recorder
    current.reset(token)


@pytest.fixture
def run(script):
    def run(build, records, **options):
        builder = GearsBuilder("ShardsIDReader")
        build(builder)
        builder.run(**({"convertToStr": False} | options))
        run = Run(user_call(None))
        return run.results(script.steps, records), run.errors

    return run


def test_operations(run):
    numbers = [1, 2, 3, 4]
    cases = [
        (lambda b: b.map(lambda x: x * 2), numbers, [2, 4, 6, 8]),
        (lambda b: b.filter(lambda x: x % 2), numbers, [1, 3]),
        (lambda b: b.flatmap(lambda x: [x, -x] if x < 2 else x), numbers, [-1, 1, 2, 3, 4]),
        (lambda b: b.foreach(lambda x: 7), numbers, numbers),
        (lambda b: b.accumulate(lambda a, x: (a or 0) + x), numbers, [10]),
        (lambda b: b.count(), numbers, [4]),
        (lambda b: b.avg(), numbers, [2.5]),
        (lambda b: b.limit(2, 1), numbers, [2, 3]),
        (lambda b: b.distinct().sort(), [3, 1, 3], [1, 3]),
        (lambda b: b.sort(), [3, 1, 2], [1, 2, 3]),
        (lambda b: b.sort(reverse=False), [3, 1, 2], [3, 2, 1]),
        (lambda b: b.aggregate([], lambda a, x: [*a, x], lambda a, x: a + x), numbers, [numbers]),
        (lambda b: b.repartition(lambda x: x).collect(), numbers, numbers),
    ]
    for build, records, expected in cases:
        assert run(build, records) == (expected, [])


def test_groups(run):
    words = ["a", "bb", "c"]
    expected = [{"key": "1", "value": 2}, {"key": "2", "value": 1}]
    by_length = lambda x: len(x)  # noqa: E731 - steps take plain functions
    for build in (
        lambda b: b.countby(by_length),
        lambda b: b.groupby(by_length, lambda k, a, x: (a or 0) + 1),
        lambda b: b.localgroupby(by_length, lambda k, a, x: (a or 0) + 1),
        lambda b: b.batchgroupby(by_length, lambda k, xs: len(xs)),
        lambda b: b.aggregateby(by_length, 0, lambda k, a, x: a + 1, lambda k, a, x: a + x),
    ):
        results, errors = run(build, words)
        assert (sorted(results, key=str), errors) == (expected, [])


def test_nothing_in_gives_nothing_out(run):
    for build in (
        lambda b: b.count(),
        lambda b: b.sort(),
        lambda b: b.avg(),
        lambda b: b.countby(),
    ):
        assert run(build, []) == ([], [])


def test_a_falsy_accumulator_is_kept(run):
    assert run(lambda b: b.aggregate(5, lambda a, x: a - x, lambda a, x: x), [5, 1]) == ([-1], [])


def test_the_zero_value_is_not_shared(run):
    def add(a, x):
        a.append(x)
        return a

    for _ in range(2):
        assert run(lambda b: b.aggregate([], add, lambda a, x: x), [1, 2]) == ([[1, 2]], [])


def test_a_run_stops_at_the_first_error_and_keeps_what_it_has(run):
    results, errors = run(lambda b: b.map(lambda x: 1 / x), [1, 2, 0, 4])
    assert results == [1, 0.5]
    assert len(errors) == 1
    assert errors[0].endswith("'ZeroDivisionError: division by zero\\n']")
    assert "test_operations.py" in errors[0]
    assert 'operations.py", line' not in errors[0].replace("test_operations.py", "")


def test_records_are_read_one_at_a_time(run):
    endless = itertools.count()
    assert run(lambda b: b.map(lambda x: x + 1).limit(3), endless) == ([1, 2, 3], [])
    assert next(endless) == 4  # the first that is too many tells that there are enough


SIX = lambda x: 6 // x  # noqa: E731 - steps take plain functions
ONE_KEY_FAILS = [{"key": "1", "value": 2}]


@pytest.mark.parametrize(
    ("build", "records", "expected", "failures"),
    [
        (lambda b: b.map(SIX), [1, 0, 2, 0], [3, 6], 2),
        (lambda b: b.filter(SIX).count(), [1, 0, 2, 0], [2], 2),
        (lambda b: b.foreach(SIX).limit(2), [1, 0, 2, 0], [2, 1], 2),
        (lambda b: b.flatmap(SIX).repartition(lambda x: 1 // (x - 3)), [1, 0, 2], [6], 2),
        (lambda b: b.accumulate(lambda a, x: [*(a or []), SIX(x)]), [1, 2, 0, 3], [[3, 6]], 1),
        (lambda b: b.groupby(SIX, lambda k, a, x: x), [2, 0], [{"key": "3", "value": 2}], 1),
        (lambda b: b.groupby(lambda x: x % 2, lambda k, a, x: 2 // x), [1, 0], ONE_KEY_FAILS, 1),
        (lambda b: b.batchgroupby(lambda x: x, lambda k, x: 2 // x[0]), [1, 0], ONE_KEY_FAILS, 1),
    ],
)
def test_an_error_stops_nothing_but_the_reader(run, build, records, expected, failures):
    """A list that was read is gone through to its end, the last element first."""

    def build_all(builder):
        build(builder.flatmap(lambda x: x))

    results, errors = run(build_all, [records, records])
    assert (results, len(errors)) == (expected, failures)


def test_a_source_that_raises(run):
    def source():
        yield 1
        raise SystemExit("no more")

    results, errors = run(lambda b: b.count(), source())
    assert results == [1]
    assert "SystemExit: no more" in errors[0]


def test_string_conversion_comes_last(run):
    assert run(lambda b: b.map(lambda x: [x]), [1, "a"], convertToStr=True) == (
        ["[1]", "['a']"],
        [],
    )


@pytest.mark.parametrize(
    "step", ["map", "filter", "foreach", "flatmap", "accumulate", "repartition"]
)
def test_only_plain_functions(script, step):
    with pytest.raises(GearsError, match="argument must be a function"):
        getattr(GearsBuilder(), step)(int)


@pytest.mark.parametrize("numbers", [(2**70,), (1, 2**63), (1, -(2**63) - 1)])
def test_limits_that_make_no_sense(script, numbers):
    with pytest.raises(GearsError, match="limit argument must be a number of 64 bits"):
        GearsBuilder().limit(*numbers)


@pytest.mark.parametrize(
    ("numbers", "left"),
    [((-1,), [1, 2, 3]), ((-1, 1), []), ((2, -1), []), ((0,), []), ((True, True), [2])],
)
def test_limits_that_are_negative(run, numbers, left):
    """RedisGears counts without sign."""
    assert run(lambda b: b.limit(*numbers), [1, 2, 3]) == (left, [])


def test_a_description_is_text(script):
    with pytest.raises(GearsError, match="desc argument must be a string"):
        GearsBuilder(desc=object())


class Unreadable(list):
    def __reversed__(self):
        raise ValueError("not backwards")


def test_an_error_between_two_functions_ends_the_run(run):
    results, errors = run(lambda b: b.flatmap(lambda x: [x] if x else Unreadable()), [1, 0])
    assert results == [1]
    assert "ValueError: not backwards" in errors[0]


def test_an_error_that_cannot_be_told_is_one_all_the_same(run):
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def fail(x):
        raise GearsFlatError(Mute())

    results, errors = run(lambda b: b.map(fail), [1])
    assert results == []
    assert errors == ["Error type: <class 'gears.flat_error'>, Value: <exception str() failed>"]


def test_builders_need_a_script():
    with pytest.raises(GearsError, match="while a script runs"):
        GearsBuilder()

"""Generated flows, run by minigears and by the specification's model: the replies are the same."""

from __future__ import annotations

import random

import hiredis
import pytest

from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.model.flow.flows import Flow

MODES = ("sync", "async", "async_local")


def text(result: bytes | hiredis.ReplyError) -> str:
    """A result; a negative number comes as an error, since its text begins with a dash."""
    return f"-{result}" if isinstance(result, hiredis.ReplyError) else result.decode()


def by_run(door: FakeDoor, flow: Flow) -> tuple[list[str], list[str]]:
    """Results and errors of a run over what the reader gives as one list."""
    source = flow.source(f"{flow.reader()}.flatmap(lambda x: x)", "run()")
    results, errors = door.script(source)
    return list(map(text, results)), list(map(text, errors))


def by_trigger(door: FakeDoor, flow: Flow, mode: str) -> tuple[list[str], list[str]]:
    """The same by a trigger, which tells the first error only."""
    reader = "GB('CommandReader').flatmap(lambda x: [int(w) for w in x[:0:-1]])"
    last = f"register(trigger='t', mode='{mode}')"
    assert door.script(flow.source(reader, last), "ID", "s") == b"OK"
    reply = door.call("RG.TRIGGER", "t", *map(str, flow.records))
    door.call("RG.UNREGISTER", door.ids[0])
    if isinstance(reply, hiredis.ReplyError):
        return [], [str(reply)]
    return list(map(text, reply)), []


def compare(door: FakeDoor, seed: int) -> None:
    """Make one flow and run it each way."""
    flow = Flow(random.Random(seed))
    results, errors = flow.expected(flow.breaks)
    said, told = by_run(door, flow)
    context = f"seed {seed}: {flow.records} {flow.breaks}\n{flow.source('GB()', 'run()')}\n{told}"
    assert said == results, context
    assert len(told) == len(errors), context
    left = list(told)
    for error in sorted(
        errors, key=lambda error: not error.whole
    ):  # which comes first is a matter of luck
        fitting = next((one for one in left if error.fits(one)), None)
        assert fitting is not None, (error, context)
        left.remove(fitting)
    mode = MODES[seed % len(MODES)]
    results, errors = flow.expected()
    said, told = by_trigger(door, flow, mode)
    context = f"{mode} {context}"
    if errors:
        assert len(told) == 1, context
        assert any(error.fits(told[0]) for error in errors), (errors, context)
    else:
        assert (said, told) == (results, []), context


def test_a_hundred_flows(executor: FakeDoor):
    for seed in range(100):
        compare(executor, seed)


@pytest.mark.long
def test_many_flows(executor: FakeDoor):
    for seed in range(100, 5_000):
        compare(executor, seed)

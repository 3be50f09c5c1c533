"""Coroutines share a loop: what one of them does to it is felt by no other."""

from __future__ import annotations

import pytest

from tests.minigears.executor.fakedoor import FakeDoor, text

OTHER = (
    "async def other(x): return 'alive'\nGB('CommandReader').map(other).register(trigger='other')\n"
)


@pytest.fixture
def door(shared_door: FakeDoor) -> FakeDoor:
    """One executor for all tests of this module: each leaves its loop running."""
    return shared_door


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("SystemExit('left')", "left"),
        ("KeyboardInterrupt('stopped')", "stopped"),
        ("BaseException('base')", "base"),
        ("GeneratorExit", "GeneratorExit"),
    ],
)
def test_a_coroutine_that_raises_any_exception_fails_and_nothing_else(
    door: FakeDoor, raised: str, told: str, mode: str
):
    coroutine = f"async def f(x): raise {raised}\n"
    door.script(
        f"{OTHER}{coroutine}GB('CommandReader').map(f).register(trigger='f', mode='{mode}')"
    )
    assert told in text(door.call("RG.TRIGGER", "f"))
    assert door.call("RG.TRIGGER", "other") == [b"alive"]


@pytest.mark.parametrize(
    "doing",
    [
        "made.add_done_callback(lambda future: exec('raise SystemExit'))",
        "asyncio.get_running_loop().call_soon(exec, 'raise KeyboardInterrupt')",
        "asyncio.get_running_loop().stop()",
    ],
)
def test_a_loop_that_user_code_ends_goes_on(door: FakeDoor, doing: str):
    script = f"""
async def f(x):
    made = createFuture()
    {doing}
    setFutureResults(made, 'made')
    return await made
GB('CommandReader').map(f).register(trigger='f')
"""
    door.script(OTHER + script)
    assert door.call("RG.TRIGGER", "f") == [b"made"]
    assert door.call("RG.TRIGGER", "other") == [b"alive"]


def test_an_error_that_cannot_be_told_as_text(door: FakeDoor):
    script = "class Mute:\n  def __str__(self): raise SystemExit\nflat_error(Mute())"
    assert "<exception str() failed>" in text(door.script(script))

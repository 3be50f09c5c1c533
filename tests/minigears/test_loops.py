"""A loop that fails is logged, counted, shown and started again; one that cannot go on ends the process."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from minigears.loops import EXIT_STATUS, Loops

ERRORS = [MemoryError(), RuntimeError("unexpected"), KeyError("x")]
QUICK = 0.001


class Body:
    """Fails with these errors, one at a start, then ends."""

    def __init__(self, loops: Loops, *errors: BaseException):
        self.loops = loops
        self.errors = list(errors)

    def __call__(self) -> None:
        assert not self.loops.down
        if self.errors:
            raise self.errors.pop(0)

    async def later(self) -> None:
        await asyncio.sleep(0)
        self()


@pytest.mark.parametrize("error", [*ERRORS, SystemExit(3)])
def test_a_thread_goes_on_after_an_error(error, caplog):
    loops = Loops(pause=QUICK)
    body = Body(loops, error, error)
    loops.thread("reader", body).join(60)
    assert body.errors == []
    assert (loops.failures, loops.last) == (2, f"reader: {type(error).__name__}")
    assert loops.down == set()
    assert "reader failed" in caplog.text


@pytest.mark.parametrize("error", ERRORS)
def test_a_task_goes_on_after_an_error(error, caplog):
    async def main() -> None:
        loops = Loops(pause=QUICK)
        body = Body(loops, error, error)
        await asyncio.wait_for(loops.task("keeper", body.later), 60)
        assert body.errors == []
        assert (loops.failures, loops.last) == (2, f"keeper: {type(error).__name__}")

    asyncio.run(main())
    assert "keeper failed" in caplog.text


def test_it_is_down_until_it_starts_again():
    async def main() -> None:
        loops = Loops(pause=3600)
        task = loops.task("reader", Body(loops, MemoryError()).later)
        while not loops.failures:
            await asyncio.sleep(0)
        assert loops.down == {"reader"}
        task.cancel()

    asyncio.run(main())


def test_a_cancelled_task_is_over():
    async def main() -> None:
        loops = Loops()
        task = loops.task("keeper", asyncio.Event().wait)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loops.failures == 0

    asyncio.run(main())


def test_one_that_fails_again_and_again_ends_the_process():
    script = """
from minigears.loops import Loops
def body():
    raise MemoryError
Loops(pause=0.001).thread("reader", body).join()
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == EXIT_STATUS
    assert "the process ends" in ended.stderr


def test_what_nobody_awaits_is_logged_and_counted(caplog):
    caplog.set_level(logging.ERROR)

    async def main() -> Loops:
        loops = Loops()
        running = asyncio.get_running_loop()
        running.set_exception_handler(loops.unobserved)

        def broken() -> None:
            raise MemoryError

        running.call_soon(broken)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return loops

    loops = asyncio.run(main())
    assert loops.failures == 1
    assert "MemoryError" in loops.last

"""A script that keeps Redis busy between a write and its function."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.minigears.realgears import MiniGears, is_busy, soon_busy
from tests.minigears.realredis import wait_for

_COPIES = """
import os, time
def copy(record):
    while not os.path.exists(%r):
        time.sleep(0.01)
    open(%r, 'w').close()
    value = execute('GET', record['key'])
    execute('XADD', 'copies', '*', 'type', record['type'], 'value', value)
GB('KeysReader').foreach(copy).register('k:*', mode=%r)
"""


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_functions_wait_as_long_as_redis_is_busy(
    gears: MiniGears, tmp_path: Path, mode: str
) -> None:
    """In RedisGears they ran before the script could begin. What they were to copy would be lost."""
    go_on, called = tmp_path / "go_on", tmp_path / "called"
    gears.run(_COPIES % (str(go_on), str(called), mode))
    with gears.client() as client, soon_busy(gears) as direct:
        with contextlib.ExitStack() as running:
            for n in (1, 2):  # a sync function keeps the second event from being looked at
                running.enter_context(_beside(lambda n=n: _write(gears, n)))
                wait_for(lambda n=n: direct.exists(f"k:{n}"), what="the write")
            running.enter_context(_beside(lambda: _keep_busy(gears)))
            wait_for(lambda: is_busy(direct), what="Redis to be busy")
            go_on.touch()
            wait_for(called.exists, what="the function to go on")
            for _ in range(50):  # it has surely asked by then
                assert is_busy(direct)
            direct.execute_command("SCRIPT", "KILL")
        wait_for(lambda: client.xlen("copies") == 2, what="both copies")
        copies = [fields for _, fields in client.xrange("copies")]
        assert copies == [{"type": "string", "value": f"v{n}"} for n in (1, 2)]


def _write(gears: MiniGears, n: int) -> None:
    with gears.client() as client:
        assert client.set(f"k:{n}", f"v{n}")


def _keep_busy(gears: MiniGears) -> None:
    with gears.client() as client, pytest.raises(redis.ResponseError, match="killed by user"):
        client.eval("while true do end", 0)


@contextlib.contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()

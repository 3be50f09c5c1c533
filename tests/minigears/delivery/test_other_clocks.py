"""minigears on a machine whose clock is another than Redis's: streams are read as ever, and ages are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.minigears.realgears import SHARED_CACHE, MiniGears
from tests.minigears.realredis import RedisServer, wait_for
from tests.wallclock import WallClock, needs_steppable_clocks

READ = """
def work(batch):
    execute('RPUSH', 'seen', *[record['id'] for record in batch])
    return batch

GB('StreamReader').aggregate([], lambda a, r: a + [r], lambda a, r: a + r) \\
    .foreach(work).register(prefix='s', batch=100, duration=0, mode='async_local')
"""


@pytest.mark.parametrize("hours", [-25, 25])
def test_what_waited_at_the_start_waits_for_no_full_batch(
    redis_server: RedisServer, tmp_path: Path, hours: int
) -> None:
    needs_steppable_clocks()
    clock = WallClock(tmp_path, "minigears")
    clock.step(hours * 3600)
    gears = MiniGears(redis_server, tmp_path, "--cache", str(SHARED_CACHE))
    gears.environment = clock.environment
    gears.start()
    try:
        with gears.client() as client:
            first = client.xadd("s", {"n": 1})
            gears.run(READ)
            wait_for(lambda: client.lrange("seen", 0, -1) == [first], 30, "the entry to be read")

            def told() -> dict[str, int]:
                [registration] = client.execute_command("RG.DUMPREGISTRATIONS")
                return dict(zip(registration[7][::2], registration[7][1::2], strict=True))

            wait_for(lambda: told()["numSuccess"], 30, "the batch to be done")
            assert told()["lastEstimatedLagMS"] < 60_000
    finally:
        gears.stop()

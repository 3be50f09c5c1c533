"""FORCE_REINSTALL_REQUIREMENTS, from a client to the files."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.minigears.executor.requirements.wheelhouse import make_wheel
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer

SCRIPT = "GB('ShardsIDReader').map(lambda x: __import__('driver').VERSION).run()"
FORCED = ("FORCE_REINSTALL_REQUIREMENTS", "REQUIREMENTS", "driver")


def test_force_reinstall(redis_server: RedisServer, wheels: Path, tmp_path: Path) -> None:
    gears = MiniGears(redis_server, tmp_path)
    gears.start()
    assert gears.run(SCRIPT, "REQUIREMENTS", "driver") == [["4.1.1"], []]
    make_wheel(wheels, "driver", "5.0")
    for words, wheel in ((FORCED[1:], "4.1.1"), (FORCED, "5.0")):
        assert gears.run(SCRIPT, *words) == [[wheel], []]
        with gears.client() as client:
            dumped = str(client.execute_command("RG.PYDUMPREQS"))
        assert f"driver-{wheel}-py3-none-any.whl" in dumped
    make_wheel(wheels, "driver", "6.0")
    with pytest.raises(redis.ResponseError, match="nonsense"):
        gears.run("import driver; nonsense", *FORCED)
    with gears.client() as client:  # nothing of it took effect
        assert str(client.execute_command("RG.PYDUMPREQS")) == dumped
    assert gears.run(SCRIPT, *FORCED[1:]) == [["5.0"], []]
    assert gears.stop() == 0
    gears.start()
    assert gears.run(SCRIPT, *FORCED[1:]) == [["5.0"], []]
    assert gears.stop() == 0

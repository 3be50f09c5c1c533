"""FORCE_REINSTALL_REQUIREMENTS, from a client to the files."""

from __future__ import annotations

from pathlib import Path

from realgears import MiniGears
from realredis import RedisServer
from wheelhouse import make_wheel

SCRIPT = "GB('ShardsIDReader').map(lambda x: __import__('driver').VERSION).run()"


def test_force_reinstall(redis_server: RedisServer, wheels: Path, tmp_path: Path) -> None:
    gears = MiniGears(redis_server, tmp_path)
    gears.start()
    assert gears.run(SCRIPT, "REQUIREMENTS", "driver") == [["4.1.1"], []]
    make_wheel(wheels, "driver", "5.0")
    forced = ("FORCE_REINSTALL_REQUIREMENTS", "REQUIREMENTS", "driver")
    for words, wheel in ((forced[1:], "4.1.1"), (forced, "5.0")):
        gears.run("1", *words)
        with gears.client() as client:
            dumped = str(client.execute_command("RG.PYDUMPREQS"))
        assert f"driver-{wheel}-py3-none-any.whl" in dumped
    assert gears.stop() == 0
    gears.start()  # what was imported before stays imported
    assert gears.run(SCRIPT, "REQUIREMENTS", "driver") == [["5.0"], []]
    assert gears.stop() == 0

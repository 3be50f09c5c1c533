"""A Redis that a script keeps busy, and values of 64 MB."""

from __future__ import annotations

import threading

import pytest
import redis

from tests.minigears.realgears import MiniGears, is_busy, soon_busy
from tests.minigears.realredis import wait_for

LARGE = 64 << 20  # bytes


@pytest.mark.parametrize("was_there", [True, False])
def test_a_script_that_never_ends_is_killed_through_the_door(
    gears: MiniGears, was_there: bool
) -> None:
    """By a client that was there before, and by one that comes while Redis is busy."""
    told: list[str] = []

    def run() -> None:
        with gears.client() as client, pytest.raises(redis.ResponseError) as refusal:
            client.eval("while true do end", 0)
        told.append(str(refusal.value))

    script = threading.Thread(target=run)
    with (
        soon_busy(gears) as direct,
        gears.client(socket_timeout=30) as client,
    ):
        if was_there:
            client.set("k", "0")
        script.start()
        wait_for(lambda: is_busy(direct), what="Redis to be busy")
        with pytest.raises(redis.ResponseError, match="BUSY"):
            client.get("k")
        assert client.execute_command("SCRIPT", "KILL")
        script.join(30)
        assert "killed by user" in told[0]
        assert client.set("k", "1")


def test_values_of_64_megabytes_go_there_and_back(gears: MiniGears) -> None:
    value = bytes(range(256)) * (LARGE // 256)
    with gears.client(decode_responses=False) as client:
        client.set("large", value)
        assert client.get("large") == value
        client.append("large", b"end")
        assert client.strlen("large") == LARGE + 3

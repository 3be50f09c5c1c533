"""Notifications are on while a registration needs them, whatever Redis or its clients were told."""

import pytest
from realgears import MiniGears
from realredis import wait_for

STREAM = "GB('StreamReader').foreach(lambda x: execute('INCR', 'count')).register(prefix='s:*')"


@pytest.fixture
def quiet_gears(start_redis, tmp_path):
    """A minigears before a Redis that sends no notifications, which is how Redis comes."""
    gears = MiniGears(start_redis("--save", "", "--notify-keyspace-events", ""), tmp_path)
    gears.start()
    yield gears
    assert gears.stop() == 0


def test_a_registration_for_streams_alone_is_told_of_entries(quiet_gears):
    quiet_gears.run(STREAM)
    with quiet_gears.client() as client:
        client.xadd("s:1", {"f": "v"})
        wait_for(lambda: client.get("count") == "1", what="the entry to be read")

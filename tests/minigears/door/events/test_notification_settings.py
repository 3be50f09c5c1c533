"""Notifications are on while a registration needs them, whatever Redis or its clients were told."""

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

STREAM = "GB('StreamReader').foreach(lambda x: execute('INCR', 'count')).register(prefix='s:*')"

KEYS = "GB().foreach(lambda x: execute('INCR', 'count')).register(prefix='k:*', mode='sync')"


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


@pytest.mark.parametrize(
    "words",
    [
        'CONFIG SET notify-keyspace-events ""',
        "config set maxmemory-policy noeviction Notify-Keyspace-Events Ex",
        "MULTI\r\nCONFIG SET notify-keyspace-events Ex\r\nEXEC",
    ],
)
def test_a_client_that_sets_notifications_leaves_those_that_are_needed(quiet_gears, words):
    quiet_gears.run(KEYS)
    with quiet_gears.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"{words}\r\nECHO set\r\n".encode())
        while stream.readline() != b"set\r\n":
            pass
        sock.sendall(b"SET k:1 1\r\n")
        assert stream.readline() == b"+OK\r\n"
        sock.sendall(b"EXISTS count\r\n")
        assert stream.readline() == b":1\r\n"


def test_the_notifications_that_a_client_asks_for_are_on_too(quiet_gears):
    with quiet_gears.client() as client:
        client.config_set("notify-keyspace-events", "E$")
        assert set(client.config_get()["notify-keyspace-events"]) == set("E$")
        quiet_gears.run(KEYS)
        client.config_set("notify-keyspace-events", "Em")
        assert set(client.config_get()["notify-keyspace-events"]) == set("AKEm")
        with pytest.raises(redis.ResponseError, match="Invalid event class"):
            client.config_set("notify-keyspace-events", "?")

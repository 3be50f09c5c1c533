"""Settings of Redis that endanger functions: put right where that is ours, told where it is not."""

import pytest
import redis

from minigears.door.safeguards import dangers_in
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

KEYS = """
GB().foreach(lambda x: execute('SADD', 'seen', x['key'])).register(prefix='k:*', mode='sync')
GB('StreamReader').foreach(lambda x: execute('SADD', 'read', x['id'])).register(prefix='s:*')
"""


@pytest.fixture
def server(start_redis):
    return start_redis("--save", "", "--appendonly", "yes")


@pytest.fixture
def gears(server, tmp_path):
    gears = MiniGears(server, tmp_path)
    gears.start()
    yield gears
    assert gears.stop() == 0


def own_port(server):
    return redis.Redis(unix_socket_path=str(server.socket), decode_responses=True)


def info(client):
    return {k: v for k, v in client.info("minigears").items() if k.startswith("minigears_")}


def test_writes_without_notifications_get_their_functions_all_the_same(server, gears):
    """Somebody switches them off on Redis's own port; clients of minigears write on."""
    gears.run(KEYS)
    with own_port(server) as own, gears.client() as client:
        for round_number in range(3):
            own.config_set("notify-keyspace-events", "")
            keys = {f"k:{round_number}:{number}" for number in range(20)}
            for key in keys:
                client.set(key, 1)
            entry = client.xadd(f"s:{round_number}", {"a": 1})
            wait_for(lambda want=keys: want <= client.smembers("seen"), what="the functions to run")
            wait_for(lambda want=entry: client.sismember("read", want), what="the entry to be read")
        assert info(client)["minigears_notifications_restored"] >= 3
        assert "A" in own.config_get()["notify-keyspace-events"]


def test_settings_that_endanger_functions_are_named(server, gears):
    with own_port(server) as own, gears.client() as client:
        own.config_set("maxmemory-policy", "allkeys-lru")
        gears.run(KEYS)

        def risks():
            return {name for name in info(client) if name.startswith("minigears_risk_")}

        wait_for(lambda: risks() == {"minigears_risk_maxmemory-policy"}, what="it to be named")
        assert "volatile-lru" in info(client)["minigears_risk_maxmemory-policy"]
        assert info(client)["minigears_settings_at_risk"] == 1
        own.config_set("maxmemory-policy", "noeviction")
        wait_for(lambda: not risks(), what="it to be over")
        own.config_set("appendonly", "no")
        wait_for(lambda: risks() == {"minigears_risk_appendonly"}, what="it to be named")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, set()),
        ({b"maxmemory-policy": b"noeviction", b"appendonly": b"yes", b"replicaof": b""}, set()),
        ({b"maxmemory-policy": b"volatile-ttl"}, set()),
        ({b"maxmemory-policy": b"allkeys-random"}, {"maxmemory-policy"}),
        ({b"appendonly": b"no"}, {"appendonly"}),
        ({b"replicaof": b"10.0.0.1 6379"}, {"replicaof"}),
    ],
)
def test_dangers(settings, named):
    assert dangers_in(settings).keys() == named

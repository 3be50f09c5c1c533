"""What INFO shows of minigears, and of RedisGears."""

import pytest

REGISTER = "GB('KeysReader').foreach(lambda x: x).register(prefix='k:*', mode='sync')"


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("words", ["", "all", "everything", "minigears", "server MINIGEARS"])
def test_info_shows_minigears(gears, protocol, words):
    gears.run(REGISTER)
    with gears.client(protocol=protocol) as client:
        client.set("k:1", 1)
        info = client.info(*words.split())
        assert info["minigears_clients"] >= 1
        assert info["minigears_keys_registrations"] == 1
        assert info["minigears_events_total"] >= 1
        assert info["minigears_events_outstanding"] == 0
        assert ("redis_version" in info) == (words != "minigears")


@pytest.mark.parametrize("protocol", [2, 3])
def test_info_shows_what_redisgears_shows_of_itself(gears, protocol):
    gears.run(REGISTER)
    with gears.client(protocol=protocol) as client:
        info = client.info("rg")
        assert info["rg_nregistrations"] == 1
        assert {"rg_TotalAllocated", "rg_PeakAllocated", "rg_CurrAllocated"} < info.keys()
        assert "rg_nexecutions" in info
        assert "minigears_clients" not in info
        both = client.info("RG", "minigears", "server")
        assert {"rg_nexecutions", "minigears_clients", "redis_version"} < both.keys()


def test_other_sections_of_info_are_as_redis_gives_them(gears):
    with gears.client() as client:
        assert not any(name.startswith("minigears") for name in client.info("memory"))


def test_info_inside_a_transaction_is_that_of_redis(gears):
    with gears.client() as client, client.pipeline() as pipe:
        pipe.set("a", 1)
        pipe.info()
        assert "minigears_clients" not in pipe.execute()[1]


def test_info_shows_every_registration_and_session(gears):
    gears.run("GB(desc='mine').register('k:*', eventTypes=['set', 'del'], mode='sync')", "ID", "a")
    gears.run("GB('StreamReader').register('s', batch=3)", "ID", "b")
    with gears.client() as client:
        client.set("k:1", 1)
        info = client.info("rg_regisrations")
        keys, stream = info.values()
        assert (keys["desc"], keys["reader"], keys["mode"]) == ("mine", "KeysReader", "sync")
        assert (keys["numTriggered"], keys["lastError"], keys["regex"]) == (1, "None", "k:*")
        assert (keys["eventTypes"], keys["keyTypes"]) == ("[set|del]", "None")
        assert (stream["batchSize"], stream["status"]) == (3, "OK")
        assert client.info("rg_plugins") == {"rg_GearsPythonPlugin": {"version": 10000}}
        assert client.info("rg_python_sessions").keys() == {"rg_a", "rg_b"}
        every = client.info("rg")
        assert info.items() <= every.items()
        assert every.keys() < client.info("modules").keys() < client.info("everything").keys()
        assert client.info("rg_nosuch") == {}

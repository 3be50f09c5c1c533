"""Registrations are kept in a function library; a client that clears Redis's functions leaves them."""

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

REGISTER = "GB().foreach(lambda x: None).register(prefix='k:*', mode='sync')"
LIBRARY = "#!lua name=theirs\nredis.register_function('theirs', function() return 7 end)"


@pytest.fixture
def own_gears(redis_server, tmp_path):
    """A minigears that a test may kill."""
    gears = MiniGears(redis_server, tmp_path)
    gears.start()
    yield gears
    assert gears.stop() == 0


@pytest.mark.parametrize("words", [("FLUSH",), ("flush", "ASYNC"), ("DELETE", "minigears"), ()])
def test_registrations_outlive_a_client_that_clears_functions(own_gears, words):
    with own_gears.client(decode_responses=False) as client:
        client.function_load(LIBRARY)
        theirs = client.function_dump()
        own_gears.run(REGISTER)
        own_gears.run(REGISTER)
        words = words or ("RESTORE", theirs, "FLUSH")
        assert client.execute_command("FUNCTION", *words) in (True, b"OK")
    own_gears.kill()
    own_gears.start()
    with own_gears.client() as client:
        assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 2


def test_nothing_is_stored_where_nothing_is_registered(own_gears):
    with own_gears.client() as client:
        client.function_load(LIBRARY)
        client.function_flush()
        assert client.function_list() == []


FORGED = "#!lua name=minigears\nredis.register_function('x', function() return 7 end)"


@pytest.mark.parametrize("where", ["door", "multi", "redis"])
@pytest.mark.parametrize(
    "words", [("FLUSH",), ("DELETE", "minigears"), ("LOAD", "REPLACE", FORGED)], ids=lambda w: w[0]
)
def test_registrations_that_somebody_takes_away_are_stored_again(own_gears, where, words):
    own_gears.run(REGISTER)
    direct = redis.Redis(unix_socket_path=str(own_gears.server.socket), decode_responses=True)
    with direct, own_gears.client() as client:
        [before] = direct.function_list()
        if where == "multi":
            with client.pipeline(transaction=True) as pipe:
                pipe.execute_command("FUNCTION", *words)
                pipe.execute()
        else:
            (client if where == "door" else direct).execute_command("FUNCTION", *words)
        wait_for(lambda: direct.function_list() == [before], what="them")
    own_gears.kill()
    own_gears.start()
    with own_gears.client() as client:
        assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 1


def test_a_library_in_the_place_of_none_does_not_keep_minigears_from_starting(own_gears):
    with own_gears.client() as client:
        client.function_load(FORGED)
        wait_for(lambda: client.function_list() == [], what="its end")

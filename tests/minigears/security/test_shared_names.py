"""Names in Redis that anybody may use: what stands there is believed only if minigears wrote it."""

from __future__ import annotations

import os
import pickle

import pytest
import redis

from minigears.executor.redis.sessionstore import encode
from minigears.seal import Seal
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

COUNT = """
def count(x):
    execute('SET', 'k:own', x['key'])
    execute('INCR', 'n')
    execute('INCR', 'n:' + x['key'])
GB('KeysReader').foreach(count).register(prefix='k:*', mode='sync', readValue=False)
"""
OWN = "__minigears__:own"


def test_a_foreign_mark_mutes_nothing(gears):
    gears.run(COUNT)
    with gears.client() as client, redis.Redis(unix_socket_path=str(gears.server.socket)) as direct:
        for publish in (client.publish, direct.publish):
            for said in ("begin", "begin 0 x", "end"):
                publish(OWN, said)
                client.incr("k:1")
        client.eval(
            f"redis.call('PUBLISH', '{OWN}', 'begin') return redis.call('INCR', 'k:1')", 1, "k:1"
        )
        assert client.get("n") == "7"


def test_a_mark_that_was_overheard_cannot_be_repeated(gears):
    gears.run(COUNT)
    with gears.client() as client, client.pubsub() as listener:
        listener.psubscribe("*")
        client.set("k:1", 1)
        heard = []
        while not (heard and heard[-1]["data"] == "end"):
            message = listener.get_message(ignore_subscribe_messages=True, timeout=60)
            if message and message["channel"] == OWN:
                heard.append(message)
        assert client.get("n") == "1"  # writes of its own raise no events
        for message in heard[:1] * 3:
            assert message["data"].startswith("begin ")
            client.publish(OWN, message["data"])
            client.set("k:1", 2)
        assert client.get("n") == "4"


def test_marks_go_on_after_the_executor_died(gears):
    gears.run(COUNT)
    with gears.client() as client:
        client.set("k:1", 1)
        before = gears.executor
        before.kill()
        wait_for(lambda: (now := gears.executor) and now.pid != before.pid, what="another executor")
        client.set("k:1", 1)
        client.set("k:1", 1)
        assert int(client.get("n:k:1")) >= 3
        assert client.get("n:k:own") is None


INTENTS = "__minigears__:intents"
PASSWORD = "a-secret-of-this-test"
SLOW = """
import os, time
def wait(x):
    while not execute('EXISTS', 'go'):
        time.sleep(0.01)
    execute('INCR', 'n:' + x['key'])
GB('KeysReader').foreach(wait).register(prefix='k:*', mode='async')
"""
"""Its intents stay until it may go."""


@pytest.fixture
def own(start_redis, tmp_path):
    """A minigears of the test's own, that may be killed."""
    gears = MiniGears(start_redis("--save", ""), tmp_path)
    gears.start()
    yield gears
    assert gears.stop() == 0


def directly(gears, database: int = 0) -> redis.Redis:
    path = str(gears.server.socket)
    return redis.Redis(unix_socket_path=path, db=database, decode_responses=True)


def journal(gears) -> redis.Redis:
    return directly(gears, 15)


def test_a_forged_intent_runs_nothing_and_a_true_one_does(own):
    own.run(SLOW)
    with own.client() as client, journal(own) as last:
        client.set("k:true", 1)
        [[_, fields]] = last.xrange(INTENTS)
        own.kill()
        for forged in (
            {"k": "k:1"},
            {"s": fields["s"], "k": "k:2"},
            {"s": "", "k": "k:3"},
            {"x": "y"},
        ):
            last.xadd(INTENTS, forged)
        last.select(0)
        last.set("go", 1)
        own.start()
    with own.client() as client:
        wait_for(lambda: client.get("n:k:true"), what="the true one")
        client.set("k:4", 1)
        wait_for(lambda: client.get("n:k:4"), what="an event behind all others")
        assert sorted(client.keys("n:*")) == ["n:k:4", "n:k:true"]
    assert "4 entries" in own.log


def test_without_the_password_an_intent_cannot_be_made(own, monkeypatch):
    """Who knows how a minigears makes them still has no code that fits."""
    made = Seal(None).code([b"intent", b"k:1"])
    own.run(COUNT)
    with journal(own) as last:
        last.config_set("requirepass", PASSWORD)
        own.kill()
        last.xadd(INTENTS, {"s": made, "k": "k:1"})
        monkeypatch.setenv("MINIGEARS_REDIS_PASSWORD", PASSWORD)
        monkeypatch.setenv("MINIGEARS_PREVIOUS_PASSWORD", "")
        own.start()
        with own.client(password=PASSWORD) as client:  # those of before are known once
            wait_for(lambda: client.get("n") == "1", what="the one of before")
        own.kill()
        last.xadd(INTENTS, {"s": made, "k": "k:1"})
        monkeypatch.delenv("MINIGEARS_PREVIOUS_PASSWORD")
        own.start()
        with own.client(password=PASSWORD) as client:
            client.set("k:2", 1)
            assert client.get("n") == "2"


@pytest.mark.parametrize("port", ["door", "redis"])
@pytest.mark.parametrize(
    ("words", "database"),
    [
        ("FLUSHALL", 0),
        ("SWAPDB 0 15", 0),
        ("SWAPDB 3 15", 0),
        ("FLUSHDB", 15),
        (f"DEL {INTENTS}", 15),
        (f"SET {INTENTS} x", 15),
        (f"MOVE {INTENTS} 0", 15),
        (f"XTRIM {INTENTS} MAXLEN 0", 15),
        (f"RENAME {INTENTS} other", 15),
    ],
)
def test_intents_that_somebody_takes_away_are_written_again(gears, port, words, database):
    gears.run(SLOW)
    with gears.client() as client, journal(gears) as last, directly(gears) as direct:
        client.set("k:1", 1)
        assert last.xlen(INTENTS) == 1
        with gears.client(db=database) if port == "door" else directly(gears, database) as taker:
            taker.execute_command(*words.split())
        wait_for(
            lambda: last.type(INTENTS) == "stream" and last.xlen(INTENTS) == 1, what="the intent"
        )
        wait_for(lambda: not direct.exists(INTENTS), what="a view without it")
        direct.set("go", 1)
        wait_for(lambda: last.xlen(INTENTS) == 0, what="the end of it")


def test_an_empty_journal_does_not_come_into_view_either(gears):
    gears.run(COUNT)
    with gears.client() as client, journal(gears) as last:
        client.set("k:1", 1)
        wait_for(lambda: last.xlen(INTENTS) == 0, what="no intents")
        client.execute_command("SWAPDB", 0, 15)
        assert not client.exists(INTENTS)
        client.execute_command("SWAPDB", 0, 15)
        assert client.exists("k:1")


def test_a_forged_library_is_not_loaded(own, monkeypatch):
    own.run(COUNT)
    with journal(own) as direct:
        direct.config_set("requirepass", PASSWORD)
        own.kill()
        monkeypatch.setenv("MINIGEARS_REDIS_PASSWORD", PASSWORD)
        with pytest.raises(AssertionError):
            own.start()  # what is stored was anybody's
        assert "MINIGEARS_PREVIOUS_PASSWORD" in own.log
        monkeypatch.setenv("MINIGEARS_PREVIOUS_PASSWORD", "")
        own.start()
        own.kill()
        monkeypatch.delenv("MINIGEARS_PREVIOUS_PASSWORD")
        own.start()  # it was sealed
        with own.client(password=PASSWORD) as client:
            client.set("k:1", 1)
            assert client.get("n") == "1"
        own.kill()
        evil = own.directory / "evil"
        forged = encode({"s": pickle.dumps(Evil(str(evil)))}, Seal(None))
        direct.execute_command("FUNCTION", "LOAD", "REPLACE", forged)
        with pytest.raises(AssertionError):
            own.start()
        assert not evil.exists()
        direct.execute_command("FUNCTION", "DELETE", "minigears")
        own.start()


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("hook", [False, True])
def test_nobody_makes_up_events_of_redis(gears, hook):
    gears.run(COUNT)
    if hook:
        script = "GB('CommandReader').map(lambda x: call_next(*x[1:])).register(hook='publish', mode='sync')"
        gears.run(script)
    with gears.client() as client:
        for channel in ("__keyspace@0__:k:1", "__keyspace@0__:k:2"):
            with pytest.raises(redis.exceptions.NoPermissionError, match="nobody else"):
                client.publish(channel, "set")
            with client.pipeline(transaction=True) as pipe, pytest.raises(redis.RedisError):
                pipe.incr("m").publish(channel, "set").execute()
        client.publish("k:1", "set")  # any other channel is free, also with such a name
        client.set("k:3", 1)
        assert client.get("n:k:1") is None
        assert client.get("n") == "1"
        assert client.get("m") is None


@pytest.mark.parametrize(
    "words", ["SWAPDB 0 15", "SWAPDB 7 15", f"MOVE {INTENTS} 3", f"SET {INTENTS} x"]
)
def test_what_happened_to_intents_while_nobody_looked(own, words):
    own.run(SLOW)
    with own.client() as client, journal(own) as last:
        client.set("k:1", 1)
        own.kill()
        last.execute_command(*words.split())
    own.start()
    with own.client() as client, journal(own) as last:
        client.set("k:2", 1)
        client.set("go", 1)
        wait_for(lambda: client.get("n:k:2"), what="an event of now")
        if not words.startswith("SET"):  # that deleted it, as nobody could know
            wait_for(lambda: client.get("n:k:1"), what="the event of before")
        wait_for(lambda: last.xlen(INTENTS) == 0, what="no intents")
        assert not client.exists(INTENTS)

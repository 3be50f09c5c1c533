"""Reads fetched ahead: right, or not used."""

from __future__ import annotations

from minigears.commandtable import CommandTable
from minigears.executor.redis.connection import BlockingConnection, RedisError
from minigears.executor.redis.prefetch import MISSING, Habits, Prefetch
from tests.minigears.executor.fakedoor import FakeDoor

TABLE = CommandTable.from_reply(
    [
        [b"get", 2, [b"readonly"], 1, 1, 1],
        [b"set", -3, [b"write"], 1, 1, 1],
        [b"exists", -2, [b"readonly"], 1, -1, 1],
    ]
)


def prefetch(replies: dict[tuple[bytes, ...], object]) -> Prefetch:
    return Prefetch(TABLE, b"k", list(replies), list(replies.values()))


def test_handed_out_once_for_the_same_words():
    ahead = prefetch({(b"GET", b"k"): b"v"})
    assert ahead.take([b"GET", b"other"]) is MISSING
    assert ahead.take([b"GET", b"k"]) == b"v"
    assert ahead.take([b"GET", b"k"]) is MISSING


def test_a_write_ends_it():
    ahead = prefetch({(b"GET", b"k"): b"v"})
    ahead.take([b"SET", b"x", b"1"])
    assert ahead.take([b"GET", b"k"]) is MISSING
    assert ahead.asked == ()


def test_an_unknown_command_counts_as_a_write():
    ahead = prefetch({(b"GET", b"k"): b"v"})
    ahead.take([b"some.command", b"x"])
    assert ahead.take([b"GET", b"k"]) is MISSING


def test_errors_are_not_handed_out():
    ahead = prefetch({(b"GET", b"k"): RedisError("WRONGTYPE")})
    assert ahead.take([b"GET", b"k"]) is MISSING


def test_habits_put_the_key_in():
    ahead, habits = prefetch({}), Habits()
    ahead.take([b"EXISTS", b"k"])
    ahead.take([b"GET", b"constant"])
    ahead.take([b"GET", b"k"])
    habits.learn("set", ahead.asked)
    assert habits.reads("set", b"new") == [(b"EXISTS", b"new"), (b"GET", b"new")]
    assert habits.reads("del", b"new") == []


READS_AND_WRITES = """
def f(x):
    key = x['key']
    before = execute('GET', key)
    execute('APPEND', key, '!')
    execute('RPUSH', 'seen', before, execute('GET', key))
GB('KeysReader').foreach(f).register(prefix='k:*', mode='sync')
"""


def test_a_function_sees_its_own_writes(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(READS_AND_WRITES)
    (registration,) = door.ids
    for number in range(4):
        redis_conn.call("SET", "k:1", number)
        door.fire(registration, b"k:1", "set")
    seen = redis_conn.call("LRANGE", "seen", 0, -1)
    assert seen == [b"0", b"0!", b"1", b"1!", b"2", b"2!", b"3", b"3!"]


def test_fetched_reads_cost_no_trip(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(
        "GB('KeysReader').foreach(lambda x: [execute('HGET', x['key'], 'f'), execute('HLEN', x['key'])])"
        ".register(prefix='h:*', mode='sync', readValue=False)"
    )
    (registration,) = door.ids
    redis_conn.call("HSET", "h:1", "f", "v")
    for _ in range(3):
        door.fire(registration, b"h:1", "hset")
    assert door.stats(registration)["numSuccess"] == 3
    calls = redis_conn.call("INFO", "commandstats").decode()
    assert "cmdstat_hget:calls=3," in calls  # each fetched once, none asked twice
    assert "cmdstat_hlen:calls=3," in calls

"""Runs over more keys than one page has: the next page is looked up while functions have the one before."""

from __future__ import annotations

import json

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.realredis import wait_for

MANY = 5_000
KINDS = {"string": "SET", "hash": "HSET", "list": "RPUSH", "set": "SADD"}


@pytest.fixture
def keys(door: FakeDoor, redis_conn: BlockingConnection) -> dict[str, str]:
    """Names and types: pages of one type, then pages of all, in no order that SCAN would keep."""
    made = {f"k:{n}": "hash" if n % 3 else list(KINDS)[n % 4] for n in range(MANY)}
    redis_conn.pipeline(
        [
            (KINDS[kind], name, *(["f"] if kind == "hash" else []), name)
            for name, kind in made.items()
        ]
    )
    return made


def test_each_key_is_read_once_with_its_own_value(door: FakeDoor, keys: dict[str, str]) -> None:
    told = door.results(
        "GB().map(lambda r: __import__('json').dumps([r['key'], r['type'], r['value']])).run('k:*')"
    )
    values = {"string": lambda k: k, "hash": lambda k: {"f": k}, "list": lambda k: [k]}
    found = [json.loads(row) for row in told]
    assert {name: (kind, value) for name, kind, value in found} == {
        name: (kind, values[kind](name) if kind in values else None) for name, kind in keys.items()
    }


def test_functions_call_redis_while_the_next_page_is_on_its_way(
    door: FakeDoor, keys: dict[str, str]
) -> None:
    assert door.results(
        "GB().foreach(lambda r: execute('SADD', 'seen', r['key'])).count().run('k:*')"
    )
    assert door.results("GB().count().map(lambda n: execute('SCARD', 'seen')).run('k:1')") == [
        b"%d" % MANY
    ]


def connections(redis_conn: BlockingConnection) -> int:
    return len(redis_conn.call("CLIENT", "LIST").splitlines())


@pytest.mark.parametrize("flow", ["limit(3)", "map(lambda r: r['none'])"])
def test_a_run_that_ends_early_leaves_nothing_behind(
    door: FakeDoor, keys: dict[str, str], redis_conn: BlockingConnection, flow: str
) -> None:
    before = connections(redis_conn)
    for _ in range(5):
        results, errors = door.script(f"GB().{flow}.run('k:*')")
        assert (len(results), bool(errors)) == ((3, False) if "limit" in flow else (0, True))
    assert door.results("GB().map(lambda r: execute('ECHO', 'x')).run('k:1')") == [b"x"]
    most = before + 2  # the threads' own
    wait_for(lambda: connections(redis_conn) <= most, what="the runs' own connections to end")


def test_many_are_sorted_and_told_apart_in_no_time(door: FakeDoor, keys: dict[str, str]) -> None:
    """A copy of all that came before, for each of them, took twenty seconds with 100,000."""
    flow = "GB('PythonReader').{}.count().run(lambda: iter(range(200_000)), convertToStr=False)"
    assert door.results(flow.format("sort()")) == [200_000]
    assert door.results(flow.format("distinct()")) == [200_000]


def test_counting_reads_no_keys_and_counts_the_same(
    door: FakeDoor, keys: dict[str, str], redis_conn: BlockingConnection
) -> None:
    redis_conn.call("CONFIG", "RESETSTAT")
    for pattern, option, expected in (
        ("k:*", "", MANY),
        ("k:1", "", 1),
        ("none:*", "", None),
        ("none", "", None),
        ("none", ", noScan=True", 1),  # a record without a value, as in RedisGears
    ):
        told = door.results(f"GB().count().run('{pattern}'{option})")
        assert told == ([] if expected is None else [b"%d" % expected])
    used = redis_conn.call("INFO", "commandstats").decode()
    assert "cmdstat_scan:" in used
    assert "cmdstat_type:" not in used
    assert "cmdstat_hgetall:" not in used


def test_a_builder_of_ones_own_sees_what_it_counts(door: FakeDoor, keys: dict[str, str]) -> None:
    script = """
class Summing(GearsBuilder):
    def accumulate(self, function):
        return super().accumulate(lambda a, r: (a or 0) + len(r['value']) if isinstance(r, dict) else r)
Summing().count().run('k:1')
"""
    assert door.results(script) == [b"1"]


def test_a_value_tells_its_type(door: FakeDoor, redis_conn: BlockingConnection) -> None:
    """Only the first page is asked for types, and what is empty, which may be of any or not there."""
    redis_conn.pipeline([("SET", f"k:{n}", str(n) if n % 10 else "") for n in range(MANY)])
    redis_conn.call("CONFIG", "RESETSTAT")
    told = door.results("GB().map(lambda r: [r['key'], r['type'], r['value']]).run('k:*')")
    expected = [[f"k:{n}", "string", str(n) if n % 10 else ""] for n in range(MANY)]
    assert sorted(told) == sorted(str(row).encode() for row in expected)
    stats = redis_conn.call("INFO", "commandstats").decode()
    types = int(stats.partition("cmdstat_type:calls=")[2].partition(",")[0])
    assert MANY / 10 <= types < MANY / 2

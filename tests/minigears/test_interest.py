"""What registrations ask of the door."""

import pytest

from minigears.interest import KEYSPACE, OWN_CHANNEL, Interest


def interest(*keys, streams=(), hooks=()):
    defaults = {"id": "r", "events": None, "commands": None, "mode": "sync"}
    frame = {
        "keys": [defaults | key for key in keys],
        "streams": [{"id": "s", "prefix": prefix} for prefix in streams],
        "hooks": [{"id": i, "command": c, "prefix": p} for i, c, p in hooks],
    }
    return Interest.from_frame(frame)


@pytest.mark.parametrize(
    ("prefix", "key", "concerned"),
    [
        ("person:*", b"person:1", True),
        ("person:*", b"person:", True),
        ("person:*", b"other", False),
        ("person:1", b"person:1", True),
        ("person:1", b"person:11", False),
        ("*", b"anything", True),
    ],
)
def test_a_trailing_star_makes_a_prefix(prefix, key, concerned):
    assert interest({"prefix": prefix}).concerns(key) is concerned


def test_event_types_match_without_regard_to_case():
    watch = interest({"prefix": "p:*", "events": ["HSET", "Del"]})
    assert watch.watchers(b"p:1", "hset")
    assert watch.watchers(b"p:1", "del")
    assert not watch.watchers(b"p:1", "set")
    assert not watch.watchers(b"q:1", "hset")


def test_a_key_miss_has_to_be_asked_for_by_name():
    assert not interest({"prefix": "p:*"}).watchers(b"p:1", "keymiss")
    assert interest({"prefix": "p:*", "events": ["keymiss"]}).watchers(b"p:1", "keymiss")


def test_one_subscription_covers_all_that_it_contains():
    watch = interest(
        {"prefix": "a:*"},
        {"prefix": "a:b:*"},
        {"prefix": "a:c"},
        {"prefix": "x[1]"},
        streams=["s-*"],
    )
    assert watch.subscriptions() == {
        KEYSPACE + b"a:*",
        KEYSPACE + rb"x\[1\]",
        KEYSPACE + b"s-*",
        OWN_CHANNEL,
    }


def test_nothing_registered_means_nothing_watched():
    assert not Interest()
    assert Interest().subscriptions() == frozenset()


def test_streams_are_told_from_keys():
    watch = interest({"prefix": "a:*"}, streams=["s-*", "one"])
    assert watch.is_stream(b"s-1")
    assert watch.is_stream(b"one")
    assert not watch.is_stream(b"a:1")
    assert not watch.is_stream(b"one2")


def test_the_hook_registered_last_comes_first():
    watch = interest(hooks=[("1", "hset", None), ("2", "hset", "h:*"), ("3", "get", None)])
    assert watch.hooks_for(b"HSET", [b"h:1"]) == ["2", "1"]
    assert watch.hooks_for(b"hset", [b"x"]) == ["1"]
    assert watch.special_commands == {b"hset", b"get"}


def test_commands_are_taken_for_matching_keys_only():
    watch = interest({"prefix": "o:*", "commands": ["SET"]})
    assert watch.takes_command(b"set", [b"o:1"])
    assert not watch.takes_command(b"set", [b"x:1"])
    assert not watch.takes_command(b"get", [b"o:1"])


def test_reads_matter_when_an_event_of_reading_is_wanted():
    assert interest({"prefix": "*", "events": ["keymiss"]}).reads_matter
    assert not interest({"prefix": "*", "events": ["set"]}).reads_matter


def test_with_many_registrations_redis_tells_of_all_keys():
    watch = interest(*({"prefix": f"p{n}:*"} for n in range(1000)))
    assert watch.subscriptions() == {KEYSPACE + b"*", OWN_CHANNEL}
    assert watch.watchers(b"p999:1", "set")
    assert not watch.concerns(b"q:1")

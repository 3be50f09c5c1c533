from __future__ import annotations

import os
import pickle
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigears.executor.redis.connection import RedisError
from minigears.executor.redis.sessionstore import LIBRARY, SessionStore, StoreError, decode, encode
from minigears.seal import Seal
from tests.minigears.realredis import wait_for

OPEN = Seal(None)
"""That of a Redis without a password."""

NO_RDB = ("--save", "")
FAST_SYNC = (*NO_RDB, "--repl-diskless-sync-delay", "0")
AOF = ("--appendonly", "yes", "--appendfsync", "always", *NO_RDB)
FOREIGN = "#!lua name=minigears\nredis.register_function('theirs', function() return 7 end)"


@given(st.dictionaries(st.text(), st.binary()))
def test_any_sessions_come_back_in_order(sessions):
    assert list(decode(encode(sessions, OPEN), OPEN).items()) == list(sessions.items())


def test_nothing_stored_is_no_session(redis_conn):
    assert SessionStore(redis_conn, OPEN).load() == {}


def test_put_replace_and_remove(redis_conn):
    store = SessionStore(redis_conn, OPEN)
    store.put("a", b"1")
    store.put("b", pickle.dumps({"x": [1, 2]}))
    store.put("a", b"]==]\n--[==[\0\r\n'")
    assert list(store.load().items()) == [
        ("a", b"]==]\n--[==[\0\r\n'"),
        ("b", pickle.dumps({"x": [1, 2]})),
    ]
    store.remove("a")
    store.remove("never there")
    assert list(store.load()) == ["b"]


def test_an_update_swaps_sessions_at_once(redis_conn):
    store = SessionStore(redis_conn, OPEN)
    store.put("old", b"1")
    store.update({"new": b"2"}, remove=["old"])
    assert store.load() == {"new": b"2"}


def test_sessions_are_no_keys_and_survive_flushall(redis_conn):
    store = SessionStore(redis_conn, OPEN)
    store.put("a", b"1")
    assert redis_conn.call("KEYS", "*") == []
    assert redis_conn.call("DBSIZE") == 0
    redis_conn.call("FLUSHALL")
    assert store.load() == {"a": b"1"}


def test_the_function_in_the_library_only_counts(redis_conn):
    SessionStore(redis_conn, OPEN).put("a", b"1")
    assert redis_conn.call("FCALL_RO", "minigears_sessions", "0") == 1


@pytest.mark.parametrize("options", [AOF, ("--save", "3600 1")], ids=["aof", "rdb"])
def test_sessions_survive_a_restart(start_redis, options):
    server = start_redis(*options)
    SessionStore(server.connect(), OPEN).put("a", b"1")
    server.restart(signal.SIGTERM)
    assert SessionStore(server.connect(), OPEN).load() == {"a": b"1"}


def test_sessions_survive_a_kill_with_aof(start_redis):
    server = start_redis(*AOF)
    SessionStore(server.connect(), OPEN).put("a", b"1")
    server.restart(signal.SIGKILL)
    assert SessionStore(server.connect(), OPEN).load() == {"a": b"1"}


def test_sessions_survive_a_rewritten_aof(start_redis):
    server = start_redis(*AOF)
    conn = server.connect()
    SessionStore(conn, OPEN).put("a", b"1")
    conn.call("BGREWRITEAOF")
    wait_for(lambda: b"aof_rewrite_in_progress:0" in conn.call("INFO", "persistence"))
    wait_for(lambda: b"aof_rewrite_scheduled:0" in conn.call("INFO", "persistence"))
    server.restart(signal.SIGKILL)
    assert SessionStore(server.connect(), OPEN).load() == {"a": b"1"}


def test_sessions_reach_a_replica(start_redis, free_port):
    primary = start_redis(*FAST_SYNC, "--port", str(free_port), "--bind", "127.0.0.1")
    replica = start_redis(*NO_RDB, "--replicaof", f"127.0.0.1 {free_port}")
    SessionStore(primary.connect(), OPEN).put("a", b"1")
    store = SessionStore(replica.connect(), OPEN)
    wait_for(lambda: store.load() == {"a": b"1"}, what="the replica")


def test_ten_megabytes_of_random_bytes(redis_conn):
    store = SessionStore(redis_conn, OPEN)
    data = os.urandom(10 * 2**20)
    store.put("big", data)
    assert store.load() == {"big": data}


def test_what_compresses_is_compressed():
    assert len(encode({"a": b"x" * 2**20}, OPEN)) < 4096


@pytest.mark.parametrize("change", ["put", "remove", "load"])
def test_a_foreign_library_is_refused_and_kept(redis_conn, change):
    redis_conn.call("FUNCTION", "LOAD", FOREIGN)
    store = SessionStore(redis_conn, OPEN)
    calls = {
        "put": lambda: store.put("a", b"1"),
        "remove": lambda: store.remove("a"),
        "load": store.load,
    }
    with pytest.raises(StoreError, match="not written by minigears"):
        calls[change]()
    assert redis_conn.call("FCALL", "theirs", "0") == 7


def _damage(source: bytes, offset: int) -> bytes:
    at = source.rindex(b"\n]==]") - offset
    return source[:at] + (b"A" if source[at : at + 1] != b"A" else b"B") + source[at + 1 :]


def test_a_damaged_library_is_refused_and_kept(redis_conn):
    damaged = _damage(encode({"a": b"precious", "b": b"2"}, OPEN), 12)
    redis_conn.call("FUNCTION", "LOAD", damaged)
    with pytest.raises(StoreError, match="checksum"):
        SessionStore(redis_conn, OPEN).put("c", b"3")
    [library] = redis_conn.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    assert damaged in library


def test_a_payload_that_is_not_base64_is_refused():
    source = encode({"a": b"1"}, OPEN)
    with pytest.raises(StoreError, match="damaged"):
        decode(source.replace(b"\n]==]", b"A\n]==]"), OPEN)


def test_a_newer_format_is_refused():
    with pytest.raises(StoreError, match="format 2; this minigears reads 1"):
        decode(encode({"a": b"1"}, OPEN).replace(b"format=1", b"format=2"), OPEN)


def test_a_refused_write_changes_nothing(redis_conn):
    store = SessionStore(redis_conn, OPEN)
    store.put("a", b"1")
    redis_conn.call("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(RedisError, match="OOM"):
        store.put("b", os.urandom(1000))
    assert store.load() == {"a": b"1"}


def test_what_was_sealed_with_a_password_is_read_with_it_only():
    sealed = encode({"a": b"1"}, Seal("secret"))
    assert decode(sealed, Seal("secret")) == {"a": b"1"}
    assert decode(sealed, Seal("changed", "secret")) == {"a": b"1"}
    assert decode(encode({"a": b"1"}, OPEN), Seal("changed", "")) == {"a": b"1"}
    for source in (sealed, encode({"a": b"1"}, OPEN), encode({"a": b"1"}, Seal("other"))):
        with pytest.raises(StoreError, match="MINIGEARS_PREVIOUS_PASSWORD"):
            decode(source, Seal("changed", "before"))
    forged = encode({"a": b"2"}, OPEN)
    seal = sealed.split(b" seal=")[1][:32]
    digest = forged.split(b"sha256=")[1][:64]
    with pytest.raises(StoreError, match="forged"):
        decode(forged.replace(digest + b"\n", digest + b" seal=" + seal + b"\n"), Seal("secret"))

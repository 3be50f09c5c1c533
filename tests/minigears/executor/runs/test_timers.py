"""Timers, and the keys that they are."""

from __future__ import annotations

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor, text
from tests.minigears.realredis import wait_for


def ticks(conn: BlockingConnection, key: str) -> int:
    """How often the timer has called INCR."""
    return int(conn.call("GET", key) or 0)


def test_timers_go_on_ticking(door: FakeDoor, redis_conn: BlockingConnection):
    door.script("registerTE(0, lambda: execute('INCR', 'ticks'))")
    wait_for(lambda: int(redis_conn.call("GET", "ticks") or 0) > 3)


def test_timers_end_with_the_executor_unless_a_registration_makes_them(
    door: FakeDoor, redis_conn: BlockingConnection
):
    door.script("registerTE(0, lambda: execute('INCR', 'of script'))")
    door.script("""
GB('CommandReader').register(
    trigger='t', onRegistered=lambda: registerTE(0, lambda: execute('INCR', 'of registration')))
""")
    for key in ("of script", "of registration"):
        wait_for(lambda key=key: redis_conn.call("EXISTS", key), what=key)
    door.kill()
    redis_conn.call("FLUSHALL")
    door.start()
    wait_for(lambda: int(redis_conn.call("GET", "of registration") or 0) > 3, what="the timer")
    assert not redis_conn.call("EXISTS", "of script")


TIMER = "registerTE(0, lambda: execute('INCR', 'n'), 'te')"


def _stands_still(door: FakeDoor, conn: BlockingConnection) -> None:
    """Wait until the timer has ended; another one, made later, tells the time."""
    conn.call("DEL", "other")
    before = -1
    while before != ticks(conn, "n"):
        before = ticks(conn, "n")
        conn.call("SET", "other", "0")
        door.script("registerTE(0, lambda: execute('INCR', 'other'), 'clock')")
        wait_for(lambda: ticks(conn, "other") > 10, what="the other timer")
        conn.call("DEL", "clock")


def test_a_timer_is_a_key_and_goes_with_it(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(TIMER)
    assert redis_conn.call("EXISTS", "te") == 1
    wait_for(lambda: ticks(redis_conn, "n") > 3, what="ticks")
    assert redis_conn.call("DEL", "te") == 1
    _stands_still(door, redis_conn)
    door.kill()
    door.start()
    _stands_still(door, redis_conn)


def test_flushall_and_a_value_of_another_stop_it(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(TIMER)
    redis_conn.call("FLUSHALL")
    _stands_still(door, redis_conn)
    door.script(TIMER)
    redis_conn.call("SET", "te", "mine")
    _stands_still(door, redis_conn)
    assert redis_conn.call("GET", "te") == b"mine"


def test_a_restart_keeps_it(door: FakeDoor, redis_conn: BlockingConnection):
    door.script(TIMER)
    door.kill()
    before = ticks(redis_conn, "n")
    door.start()
    wait_for(lambda: ticks(redis_conn, "n") > before + 3, what="ticks after the restart")


def test_a_timer_that_raises_stops(door: FakeDoor, redis_conn: BlockingConnection):
    door.script("def f():\n execute('INCR', 'n')\n 1/0\nregisterTE(0, f, 'te')")
    wait_for(lambda: ticks(redis_conn, "n") == 1, what="its only tick")
    _stands_still(door, redis_conn)
    assert ticks(redis_conn, "n") == 1


def test_a_key_that_is_taken(door: FakeDoor, redis_conn: BlockingConnection):
    redis_conn.call("SET", "te", "mine")
    door.script("execute('SET', 'said', str(registerTE(1, lambda: 1, 'te')))")
    assert redis_conn.call("GET", "said") == b"False"
    door.script("execute('SET', 'said', str(registerTE(1, lambda: 1, 'free')))")
    assert redis_conn.call("GET", "said") == b"True"
    assert redis_conn.call("GET", "te") == b"mine"


def test_arguments(door: FakeDoor):
    assert "callback must be a function" in text(door.script("registerTE(2, 2)"))
    assert "time argument must be a long" in text(door.script("registerTE('2', lambda: 1)"))
    assert door.script("assert registerTE(2, lambda: 1, 3)") == b"OK"  # as one without a key

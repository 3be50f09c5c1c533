"""The scheduler of the main thread, with a real Redis."""

from __future__ import annotations

import socket

import pytest

from minigears.executor.redis.calls import AtomicGate, BlockingCaller, plain
from minigears.executor.redis.connection import BlockingConnection
from minigears.executor.threads.hub import Hub
from tests.minigears.realredis import RedisServer


class Counting(BlockingConnection):
    """Counts round trips."""

    sent = 0

    def send(self, data: bytes) -> None:
        self.sent += 1
        super().send(data)


@pytest.fixture
def connection(redis_server: RedisServer):
    connection = Counting(redis_server.address)
    yield connection
    connection.close()


@pytest.fixture
def hub(connection: Counting, redis_server: RedisServer) -> Hub:
    gate = AtomicGate()
    return Hub(lambda: connection, gate, BlockingCaller(redis_server.address, gate))


def run(hub: Hub) -> None:
    while hub.busy:
        hub.round()


def test_calls_of_different_lanes_share_round_trips(hub: Hub, connection: Counting):
    done = []

    def job(lane: int) -> None:
        for step in range(3):
            hub.call(plain((b"RPUSH", b"list", b"%d-%d" % (lane, step))))
        done.append(lane)

    for lane in range(50):
        hub.submit(lane, lambda lane=lane: job(lane))
    run(hub)
    assert connection.sent == 3
    assert done == list(range(50))


def test_jobs_of_one_lane_keep_their_order(hub: Hub):
    seen = []

    def job(number: int) -> None:
        seen.append((number, "begins"))
        hub.call(plain((b"PING",)))
        seen.append((number, "ends"))

    for number in range(3):
        hub.submit("one", lambda number=number: job(number))
    run(hub)
    assert seen == [(n, what) for n in range(3) for what in ("begins", "ends")]


def test_nothing_comes_between_the_calls_of_an_exclusive_block(
    hub: Hub, redis_conn: BlockingConnection
):
    def counter() -> None:
        with hub.alone():
            now = int(hub.call(plain((b"GET", b"n"))) or 0)
            hub.call(plain((b"SET", b"n", b"%d" % (now + 1))))

    for lane in range(20):
        hub.submit(lane, counter)
    run(hub)
    assert redis_conn.call("GET", "n") == b"20"


def test_more_lanes_than_may_overlap(hub: Hub):
    count = []

    def job() -> None:
        hub.call(plain((b"PING",)))
        count.append(1)

    for lane in range(3000):
        hub.submit(lane, job)
    run(hub)
    assert len(count) == 3000


def test_a_job_that_raises_harms_no_other(hub: Hub, caplog):
    seen = []
    hub.submit(1, lambda: 1 / 0)
    hub.submit(1, lambda: seen.append("after"))
    run(hub)
    assert seen == ["after"]
    assert "ZeroDivisionError" in caplog.text


def test_posting_wakes_the_hub(hub: Hub, redis_server: RedisServer):
    other = redis_server.connect()
    hub.post("lane", lambda: None)
    assert hub.wait(other.fileno()) is False
    run(hub)
    other.send(b"PING\r\n")
    assert hub.wait(other.fileno()) is True
    other.close()


def test_a_closed_connection_is_renewed(redis_server: RedisServer, redis_conn: BlockingConnection):
    gate = AtomicGate()
    hub = Hub(redis_server.connect, gate, BlockingCaller(redis_server.address, gate))
    replies = []
    hub.submit(1, lambda: replies.append(hub.call(plain((b"PING",)))))
    run(hub)
    redis_conn.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    idle, other = socket.socketpair()
    with idle, other:
        assert hub.wait(idle.fileno()) is False
    hub.submit(1, lambda: replies.append(hub.call(plain((b"PING",)))))
    run(hub)
    assert replies == [b"PONG", b"PONG"]


def test_a_redis_that_goes_away_is_noticed(redis_server: RedisServer):
    gate = AtomicGate()
    hub = Hub(redis_server.connect, gate, BlockingCaller(redis_server.address, gate))
    idle, other = socket.socketpair()
    redis_server.stop()
    with idle, other, pytest.raises((ConnectionError, FileNotFoundError)):
        hub.wait(idle.fileno())

from __future__ import annotations

import threading

from minigears.executor.threads.pool import Pool
from tests.minigears.realredis import wait_for


def test_at_most_so_many_at_once():
    pool, gate, running = Pool(2), threading.Event(), []

    def job() -> None:
        running.append(1)
        gate.wait(10)

    for _ in range(4):
        pool.submit(job)
    wait_for(lambda: len(running) == 2)
    gate.set()
    wait_for(lambda: len(running) == 4)


def test_one_idle_thread_is_not_counted_on_for_two_jobs():
    pool, together, done = Pool(3), threading.Barrier(2), []
    before = threading.active_count()
    pool.submit(lambda: done.append(0))
    wait_for(lambda: done and threading.active_count() == before + 1)

    def job() -> None:
        together.wait(10)
        done.append(1)

    pool.submit(job)
    pool.submit(job)
    wait_for(lambda: done == [0, 1, 1])


def test_a_job_that_waits_leaves_its_place():
    pool, released, order = Pool(1), threading.Event(), []

    def waits() -> None:
        with pool.blocked():
            released.wait(10)
        order.append("waited")

    def releases() -> None:
        order.append("releases")
        released.set()

    pool.submit(waits)
    pool.submit(releases)
    wait_for(lambda: order == ["releases", "waited"])


def test_many_jobs_may_wait():
    pool, gate, count = Pool(2), threading.Event(), []

    def waits() -> None:
        with pool.blocked():
            gate.wait(10)
        count.append(1)

    for _ in range(50):
        pool.submit(waits)
    pool.submit(gate.set)
    wait_for(lambda: len(count) == 50)


def test_a_lane_keeps_its_order():
    pool, seen, busy = Pool(3), [], threading.Lock()

    def job(number: int) -> None:
        assert busy.acquire(blocking=False), "two jobs of one lane at once"
        seen.append(number)
        busy.release()

    for number in range(200):
        pool.submit(lambda number=number: job(number), lane="one")
    wait_for(lambda: len(seen) == 200)
    assert seen == list(range(200))


def test_in_a_lane_one_that_waits_lets_others_pass():
    pool, released, order = Pool(3), threading.Event(), []

    def waits() -> None:
        order.append("begins")
        with pool.blocked():
            released.wait(10)
        order.append("waited")

    pool.submit(waits, "one", may_pass=True)
    for number in range(100):
        pool.submit(lambda number=number: order.append(number), "one", may_pass=True)
    pool.submit(released.set, "one", may_pass=True)
    wait_for(lambda: len(order) == 102)
    pool.submit(lambda: order.append("last"), "one", may_pass=True)
    wait_for(lambda: order[-1] == "last")
    order.remove("waited")
    assert order == ["begins", *range(100), "last"]


def test_a_job_that_raises_harms_no_other(caplog):
    pool, done = Pool(1), threading.Event()
    pool.submit(lambda: 1 / 0)
    pool.submit(done.set)
    assert done.wait(10)
    assert "a job failed" in caplog.text


def test_a_thread_that_ran_a_lane_waits_later_for_itself_alone():
    pool, done, released = Pool(1), [], threading.Event()
    pool.submit(lambda: done.append("lane"), lane="l", may_pass=True)
    wait_for(lambda: done and not pool._lanes)

    def waits() -> None:
        with pool.blocked():
            released.wait(10)
        done.append("waited")

    pool.submit(waits)  # the same thread: there is no other
    released.set()
    wait_for(lambda: done == ["lane", "waited"])

"""`lab.record()` and its time machine."""

from __future__ import annotations

import json
import re

import lab
from lab.cells.recording import Recording, Write
from lab.stack.model import Stack


def test_a_run_is_recorded_from_the_click_to_mongo(stack: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    with lab.record(settle=60) as run:
        for number in range(1, 21):
            stack.redis.json().set(f"MovieEntity:{number}", "$.seen", True)
        stack.redis.json().get("MovieEntity:1")
        stack.redis.delete("MovieEntity:20")
    assert len(run.writes) == 21
    for write in run.writes:
        assert write.is_done, write
        assert write.sent <= write.answered
        assert write.queued <= write.delivered <= write.committed
        assert re.fullmatch(r"\d+-\d+", write.entry_id)
    assert run.problems == []
    assert "21 writes" in repr(run)
    page = run._repr_html_()
    (told,) = re.findall(r"data = (\{.*\});", page)
    assert len(json.loads(told)["writes"]) == 21
    assert "http" not in page  # it needs nothing but itself
    before = stack.redis.json().get("MovieEntity:1")
    assert before["seen"] is True  # the client is as it was
    assert "execute_command" not in vars(stack.redis)


def test_a_write_that_changes_nothing_has_arrived_too(stack: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    with lab.record(settle=60) as run:
        for _ in range(2):
            stack.redis.json().set("MovieEntity:1", "$", lab.load_movies()[0])
    assert [write.committed is not None for write in run.writes] == [True, True]


def test_an_outage_is_recorded(stack: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    with lab.record(settle=60) as run:
        lab.stop("mongo")
        try:
            stack.redis.json().set("MovieEntity:1", "$.seen", True)
        finally:
            lab.start("mongo")
    (write,) = run.writes
    assert write.is_done
    assert run.lost_at(write.answered, 1000) == [write]
    assert run.lost_at(run.length, 30_000) == []


def test_what_is_seen_late_was_no_later_than_what_came_of_it() -> None:
    late = Write("MovieEntity:1", queued=3.0, delivered=9.0, committed=5.0, left=9.0)
    late.put_in_order()
    assert (late.queued, late.delivered, late.committed) == (3.0, 5.0, 5.0)
    second = Write("MovieEntity:1", sent=1.0, committed=2.0)  # by the commit of the first
    second.is_queued_at(3.0)
    assert (second.queued, second.committed) == (3.0, None)


def test_what_a_power_failure_would_cost() -> None:
    def write(answered: float, committed: float | None) -> Write:
        return Write(
            "MovieEntity:1", answered - 1, answered, "1-0", "s", answered, answered, committed
        )

    run = Recording([write(100, 5000), write(1500, None), write(2000, 2100)], 6000)
    assert run.lost_at(2050, 0) == []
    assert run.lost_at(2050, 1000) == run.writes[1:]
    assert run.lost_at(2200, 1000) == run.writes[1:2]
    assert run.lost_at(2200, 30_000) == run.writes[:2]
    assert run.lost_at(50, 30_000) == []
    assert "at the worst moment 3" in repr(run)


def test_a_key_cannot_become_markup() -> None:
    run = Recording([Write("MovieEntity:</script><script>alert(1)</script>", 1, 2)], 10)
    assert "<script>alert" not in run._repr_html_()

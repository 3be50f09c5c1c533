"""`lab.wait_until`: how long something took, and what both stores hold when it does not come."""

from __future__ import annotations

import pytest

import lab
from lab.stack.model import Stack


def test_waiting_measures_the_lag(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([False, 0, None, "yes"])
    lag = lab.wait_until(lambda: next(answers), what="the fourth answer is yes")
    assert lag > 0
    assert capsys.readouterr().out.endswith("the fourth answer is yes\n")


def test_a_wait_in_vain_shows_both_stores(stack: Stack) -> None:
    lab.prepare("empty", "movies")
    stack.redis.xadd("queue", {"a": 1})
    stack.redis.xgroup_create("queue", "workers", "0")
    stack.redis.xreadgroup("workers", "me", {"queue": ">"})
    with pytest.raises(lab.WaitTimeout) as raised:
        lab.wait_until(lambda: False, what="pigs fly", timeout=0.05)
    told = str(raised.value)
    count = len(lab.load_movies())
    assert "not within 0.05 s: pigs fly" in told
    assert f"{count} keys MovieEntity:*" in told
    assert f"{count} documents in movies" in told
    assert "queue: 1 entries, 1 pending" in told
    assert "No recipe is registered" in told


def test_what_a_condition_raises_is_not_hidden(stack: Stack) -> None:
    with pytest.raises(ZeroDivisionError):
        lab.wait_until(lambda: 1 / 0)

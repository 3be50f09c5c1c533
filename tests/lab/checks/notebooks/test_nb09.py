"""What the exercise of notebook 09 says about answers that are nearly right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.checks.notebooks.nb09 import REMEDY


def right(waiting: int, buried: int, differ: bool) -> str:
    if not differ:
        return "nothing"
    return "wait" if waiting else "mend and replay" if buried else "reconcile"


def test_the_right_answer_passes() -> None:
    assert REMEDY.judge({"remedy": right})[0]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda w, b, d: "wait" if w else right(w, b, d), "delivered again waits, too"),
        (lambda w, b, d: "mend and replay" if b else right(w, b, d), "since it was buried"),
        (lambda w, b, d: right(0, b, d), "is lag, not a fault"),
        (lambda w, b, d: "mend and replay" if d and b else right(w, b, d), "A newer write"),
        (lambda w, b, d: right(w, 0, d), "What does a dead letter say"),
        (lambda w, b, d: "wait" if d and not b else right(w, b, d), "what would ever repair it"),
        (lambda w, b, d: "restart", "none of the four"),
        (lambda w, b, d: ["wait"], "none of the four"),
        (lambda w, b, d: None, "`None`"),
        (lambda w, b: "wait", "your function raised"),
        ("wait", "not a function"),
    ],
)
def test_a_wrong_answer_is_told_its_misconception(answer: Callable[..., object], told: str) -> None:
    passed, message = REMEDY.judge({"remedy": answer})
    assert not passed
    assert told in message

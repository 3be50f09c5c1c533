"""What the exercises of notebook 11 say about answers that are nearly right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.checks.notebooks.nb11 import _RUNBOOK, RUNBOOK, WAKE

RIGHT = {case: tool for case, (tool, _) in _RUNBOOK.items()}
Seen = dict[str, Any]


@pytest.mark.parametrize(
    ("wake", "told"),
    [
        (lambda seen: seen["entries"] > 1000, "Depth is no alarm, age is"),
        (lambda seen: seen["oldest"] > 60, "a dead letter waits for a person".capitalize()),
        (lambda seen: seen["dead"] > 0, "Three entries are few"),
        (lambda seen: not seen["up"] or seen["dead"] > 0, "nobody reports an error"),
        (lambda seen: not seen["up"] or seen["oldest"] > 60 or seen["dead"] > 0, "tries again by"),
        (lambda seen: seen["oldest"] > 5 or seen["dead"] > 0, "A minute of lateness is tolerable."),
        (lambda seen: seen["oldest"] > 600 or seen["dead"] > 0, "and this is more"),
        (lambda seen: True, "Everything is well"),
        (lambda seen: ..., "still returns `...`"),
        (lambda seen: seen["oldest"], "of type float"),
        (lambda seen: seen["age"] > 60, "KeyError"),
        (60, "not a function"),
    ],
)
def test_a_wrong_alert_is_told_whom_it_fails(wake: Callable[[Seen], object], told: str) -> None:
    passed, message = WAKE.judge({"wake": wake})
    assert not passed
    assert told in message


def test_the_right_answers_pass() -> None:
    assert RUNBOOK.judge({"runbook": RIGHT})[0]
    assert WAKE.judge({"wake": lambda seen: seen["oldest"] > 60 or seen["dead"] > 0})[0]


@pytest.mark.parametrize("case", RIGHT)
def test_each_wrong_tool_gets_a_reason(case: str) -> None:
    wrong = next(tool for tool in RIGHT.values() if tool != RIGHT[case])
    passed, message = RUNBOOK.judge({"runbook": {**RIGHT, case: wrong}})
    assert not passed
    assert _RUNBOOK[case][1] in message


@pytest.mark.parametrize(
    ("runbook", "told"),
    [
        ([], "not a dictionary"),
        ({}, "no answer for"),
        (dict.fromkeys(RIGHT, "restart it"), "it is one of"),
    ],
)
def test_an_answer_of_another_form_is_told_so(runbook: object, told: str) -> None:
    passed, message = RUNBOOK.judge({"runbook": runbook})
    assert not passed
    assert told in message

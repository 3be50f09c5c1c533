"""What the exercises of notebook 07 say about answers that are nearly right."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import lab
from lab.checks.notebooks.nb07 import DRIFT, OLDEST_AGE
from lab.stack.model import Stack


def newest(stack: Stack, stream: str) -> float:
    found = stack.redis.xrevrange(stream, count=1)
    return time.time() - int(found[0][0].split("-")[0]) / 1000 if found else 0.0


def milliseconds(stack: Stack, stream: str) -> float:
    found = stack.redis.xrange(stream, count=1)
    return time.time() * 1000 - int(found[0][0].split("-")[0]) if found else 0.0


def no_empty_stream(stack: Stack, stream: str) -> float:
    return time.time() - int(stack.redis.xrange(stream, count=1)[0][0].split("-")[0]) / 1000


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (newest, "entries 90 s and 30 s old"),
        (milliseconds, "That is milliseconds"),
        (no_empty_stream, "IndexError"),
        (lambda stack, stream: "90", "of type str"),
        (lambda stack, stream: None, "`None`"),
    ],
)
def test_a_wrong_age_is_told_why(
    stack: Stack, answer: Callable[[Stack, str], object], told: str
) -> None:
    lab.prepare("empty")
    passed, message = OLDEST_AGE.judge({"oldest_age": lambda stream: answer(stack, stream)})
    assert not passed
    assert told in message
    assert not list(stack.redis.scan_iter(match="lab-check-*")), "the check left its stream behind"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda here, there: [], "a document that MongoDB lacks"),
        (lambda here, there: [i for i in here if here[i] != there.get(i)], "only MongoDB has"),
        (lambda here, there: here.keys() ^ there.keys(), "a document that differs"),
        (lambda here, there: None, "`None`"),
    ],
)
def test_a_wrong_drift_is_told_why(answer: Callable[..., object], told: str) -> None:
    passed, message = DRIFT.judge({"drift": answer})
    assert not passed
    assert told in message


def test_an_answer_that_is_no_function_is_told_so() -> None:
    passed, message = DRIFT.judge({"drift": ["1"]})
    assert not passed
    assert "not a function" in message

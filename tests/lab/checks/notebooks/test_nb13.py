"""What the exercises of notebook 13 say about answers that are nearly right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.cells.timemachine import Recording, Write
from lab.checks.notebooks.nb13 import ANSWER, COMMIT, ENTRY, GONE, LOST, MONGO, STORY, WINDOW

RIGHT = [ENTRY, ANSWER, MONGO, COMMIT, GONE]


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ([ENTRY, MONGO, COMMIT, ANSWER, GONE], "write-through"),
        ([ENTRY, MONGO, ANSWER, COMMIT, GONE], "nobody who writes waits"),
        ([ANSWER, ENTRY, MONGO, COMMIT, GONE], "in one step"),
        ([ENTRY, ANSWER, COMMIT, MONGO, GONE], "before it is on again"),
        ([ENTRY, ANSWER, MONGO, GONE, COMMIT], "at-most-once"),
        ([ENTRY, ANSWER, MONGO, COMMIT], "Missing: entry gone"),
        ([*RIGHT, COMMIT], "one is there twice"),
        ([*RIGHT[:4], "gone"], "'gone' is none of the five"),
        ([*RIGHT[:4], 5], "5 is none of the five"),
        ("entry", "not a list"),
    ],
)
def test_a_wrong_story_is_told_what_it_would_mean(happened: object, told: str) -> None:
    passed, message = STORY.judge({"happened": happened})
    assert not passed
    assert told in message


def promised(writes: list[Write], moment: float, unsynced: float) -> list[Write]:
    return [w for w in writes if w.answered is not None and w.answered <= moment]


def at_the_end(writes: list[Write], moment: float, unsynced: float) -> list[Write]:
    run = Recording([w for w in writes if w.committed is None])
    return run.lost_at(moment, unsynced)


def without_the_disk(writes: list[Write], moment: float, unsynced: float) -> list[Write]:
    return Recording(writes).lost_at(moment, 10_000)


def unanswered_too(writes: list[Write], moment: float, unsynced: float) -> list[Write]:
    unanswered = [w for w in writes if w.answered is None and w.sent is not None]
    return Recording(writes).lost_at(moment, unsynced) + unanswered


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (promised, "It was committed by then"),
        (at_the_end, "MongoDB has it only at 300 ms"),
        (without_the_disk, "Redis's disk has by then"),
        (unanswered_too, "it was never promised"),
        (lambda writes, moment, unsynced: ..., "still returns `...`"),
        (lambda writes, moment, unsynced: None, "not a list of writes"),
        (lambda writes, moment, unsynced: [w for w in writes if w.answered < moment], "TypeError"),
        ([], "not a function"),
    ],
)
def test_a_wrong_sum_is_told_why(lost: Callable[..., object], told: str) -> None:
    passed, message = LOST.judge({"lost": lost})
    assert not passed
    assert told in message


def test_the_time_machine_itself_passes() -> None:
    assert STORY.judge({"happened": RIGHT})[0]
    passed, message = LOST.judge({"lost": lambda writes, *rest: Recording(writes).lost_at(*rest)})
    assert passed, message


def of_those_that_arrived(writes: list[Write], now: float) -> float:
    return max((w.committed - w.answered for w in writes if w.committed and w.answered), default=0)


def of_those_that_wait(writes: list[Write], now: float) -> float:
    waiting = [w for w in writes if w.answered and (w.committed is None or w.committed > now)]
    return max((now - w.answered for w in waiting if w.answered), default=0)


def until_the_end(writes: list[Write], now: float) -> float:
    return max(((w.committed or now) - w.answered for w in writes if w.answered), default=0)


def of_everybody(writes: list[Write], now: float) -> float:
    return max([0, *(min(w.committed or now, now) - (w.answered or w.sent or 0) for w in writes)])


def with_those_to_come(writes: list[Write], now: float) -> float:
    return max([0, *(abs(min(w.committed or now, now) - w.answered) for w in writes if w.answered)])


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (7, "not a function"),
        (lambda writes, now: None, "not a number"),
        (
            lambda writes, now: max(w.committed for w in writes),
            "For no writes at all your function",
        ),
        (
            lambda writes, now: max((w.committed - w.sent for w in writes), default=0),
            "before it nobody",
        ),
        (of_those_that_wait, "not 50"),
        (of_those_that_arrived, "in the middle of an outage"),
        (until_the_end, "At that moment nobody knew of 300"),
        (of_everybody, "It was never promised"),
        (with_those_to_come, "it had no answer yet"),
    ],
)
def test_a_window_that_flatters_is_told_why(window: object, told: str) -> None:
    passed, message = WINDOW.judge({"window": window})
    assert not passed
    assert told in message

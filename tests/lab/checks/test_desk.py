"""`lab.check`, `lab.hint`: what a learner hears of an answer."""

from __future__ import annotations

import pytest
from pymongo.errors import PyMongoError

import lab
from lab import checks
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.stack.model import Stack


def test_an_exercise_tells_what_is_wrong(stack: Stack) -> None:
    lab.prepare("movies")
    right = checks.exercise("03-1").run(checks.exercise("03-1").solution, {"stack": stack})["best"]
    assert lab.check("03-1", right)
    wrong = {
        "still `...`": ...,
        "not a list": stack.db.movies.find(),
        "whole documents": list(stack.db.movies.find()),
        "titles are missing": right[1:],
        "has no rating": [*right, "No Such Film"],
        "the best rated is not the first": right[::-1],
    }
    for message, answer in wrong.items():
        verdict = lab.check("03-1", answer)
        assert not verdict
        assert message in repr(verdict)


def test_a_check_that_raises_fails_with_the_reason() -> None:
    def fails(answer: Answer) -> str:
        raise PyMongoError("the database is away")

    broken = Exercise("00-1", (), "", "", ("a", "b", "c"), fails)
    passed, message = broken.judge({})
    assert not passed
    assert "PyMongoError: the database is away" in message


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(Wrong, match="no `stream` yet"):
        Answer({})["stream"]


def test_hints_become_clearer_and_end() -> None:
    given = [repr(lab.hint("03-1")) for _ in range(4)]
    assert [text[:16] for text in given[:3]] == [f"**Hint {n} of 3.**"[:16] for n in (1, 2, 3)]
    assert given[3] == given[2]
    assert 'lab.solution("03-1")' in given[3]
    assert "imdbRating" in repr(lab.solution("03-1"))


def test_an_unknown_exercise_is_refused() -> None:
    with pytest.raises(lab.LabError, match="there are: 03-1"):
        lab.check("03-99")
    with pytest.raises(lab.LabError, match="there are: none"):
        lab.hint("99-1")

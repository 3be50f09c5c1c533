"""A check names the case that raised, the misconception that it is, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lab
from lab.checks import check
from lab.stack.gears import registrations
from lab.stack.model import Stack


def test_an_answer_that_raises_is_told_the_case(stack: Stack) -> None:
    for id, answer, case in (
        ("07-1", lambda stream: stack.redis.xrange(stream)[0], "an empty stream"),
        ("07-2", lambda here, there: [i for i in here if here[i] != there[i]], "MongoDB lacks"),
        ("07-2", lambda here, there: (i for i in here if here[i] != there[i]), "MongoDB lacks"),
        ("01-1", lambda pauses: [pauses[9]], "five pauses of two viewers"),
        ("01-1", lambda pauses: right_but(pauses), "no pauses at all"),
    ):
        verdict = check(id, answer)
        assert not verdict
        assert case in verdict.message, verdict
        assert "your function raised" in verdict.message or "returned" in verdict.message, verdict
        assert "could not be checked" not in verdict.message


def right_but(pauses: list[dict[str, object]]) -> list[dict[str, object]]:
    last = {pause["_id"]: pause for pause in pauses}
    return [last[pauses[0]["_id"]], *[p for p in last.values() if p["_id"] != pauses[0]["_id"]]]


def lazily(pauses: list[dict[str, object]]) -> Iterator[object]:
    yield from ()
    raise ValueError("too lazy")


def test_the_line_that_raised_is_shown(stack: Stack) -> None:
    assert "`ValueError: too lazy`" in check("01-1", lazily).message
    assert 'in the line `raise ValueError("too lazy")`' in check("01-1", lazily).message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([{"_id": "eve:1"}], "none of the pauses that came in"),
        ([7], "a list of the pauses themselves"),
        (7, "a list of the pauses themselves"),
    ],
)
def test_what_is_no_pause_is_told(answer: object, told: str) -> None:
    wrong = answer
    if isinstance(answer, list) and isinstance(answer[0], dict):
        verdict = check("01-1", lambda pauses: right_but(pauses) + answer if pauses else [])
    else:
        verdict = check("01-1", lambda pauses: wrong)
    assert told in verdict.message


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("@genre:{Animation} @year:[1980 1999] @imdbRating:[8 +inf]", "no field `genre`"),
        ("@genres:{Animation} @year:[1980 1999] @rating:[8 +inf]", "no field `rating`"),
        ("", "`query` is empty"),
        ("   ", "`query` is empty"),
        ("@genres:{Cartoon} @year:[1980 1999] @imdbRating:[8 +inf]", "finds none of them"),
        ("@genres:{Animation} @year:[(1980 1999] @imdbRating:[(8 +inf]", "Both ends of a range"),
        ("@genres:{Animation} @year:[1995 1999] @imdbRating:[8 +inf]", "Which part of the query"),
    ],
)
def test_a_query_is_told_what_is_wrong_with_it(stack: Stack, query: str, told: str) -> None:
    lab.prepare("movies")
    verdict = check("03-2", query)
    assert not verdict
    assert told in verdict.message, verdict
    assert ("Both ends" in verdict.message) is ("Both ends" in told)


def test_an_answer_that_registers_is_told_and_stays_not_registered(stack: Stack) -> None:
    lab.prepare("empty")
    verdict = check("04-1", 'GB().map(lambda r: 1).register("person:*")')
    assert "ends in `.register`" in verdict.message
    assert registrations(stack.redis) == []


def test_who_registered_the_script_before_is_told_so(stack: Stack) -> None:
    lab.prepare("empty")
    asked = lab.checks.exercise("05-1")
    script = asked.run(asked.solution, {})["capture"]
    assert stack.redis.execute_command("RG.PYEXECUTE", script) == "OK"
    (mine,) = registrations(stack.redis)
    verdict = check("05-1", script)
    assert "captured already" in verdict.message
    assert mine["id"] in verdict.message
    assert [known["id"] for known in registrations(stack.redis)] == [mine["id"]]
    lab.prepare("gears-empty")
    assert check("05-1", script)


def test_a_stack_that_is_away_is_not_the_answers_fault(breakable: Stack) -> None:
    lab.prepare("movies")
    lab.stop("mongo")
    verdict = check("03-1", ["Alien"])
    assert "The stack does not answer" in verdict.message
    assert "lab.up()" in verdict.message


@pytest.mark.parametrize("answers", [(1, 2), (None, "x"), ("x", "x")])
def test_a_run_id_that_is_none_is_told(stack: Stack, answers: tuple[object, object]) -> None:
    verdict = check("02-1", *answers)
    assert not verdict
    assert "could not be checked" not in verdict.message

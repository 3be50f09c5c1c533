"""A check names the case that raised, the misconception that it is, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.errors import PyMongoError

import lab
from lab.checks import check, limit, registered
from lab.checks import exercise as exercise_of
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
    asked = exercise_of("05-1")
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


def until_the_page_is_full(ask: Any, masters: list[str], first: int, count: int) -> list[Any]:
    """12-3, with a page that has fewer movies than it could hold."""
    found: list[Any] = []
    while len(found) < count:
        found = sorted((m for one in masters for m in ask(one, 0, first + count)), reverse=True)[
            first:
        ]
    return found[:count]


def catching_everything(arrivals: list[float], capacity: float) -> list[float]:
    """01-2, in a loop that even swallows what should stop it."""
    while arrivals:
        with contextlib.suppress(BaseException):
            arrivals[len(arrivals)]
    return []


def until_something_comes(r: Any, queue: str, me: str) -> list[Any]:
    return list(r.xreadgroup("workers", me, {queue: ">"}, block=0)[0][1])


def until_it_is_written(reviews: Any, entries: list[Any]) -> list[Any]:
    """14-4, patient where it should not be: an outage is the loop's affair."""
    names = exercise_of("14-4").run(exercise_of("14-4").solution, right_pieces())
    while True:
        try:
            return list(names["write"](reviews, entries))
        except PyMongoError:
            continue


def right_pieces() -> dict[str, Any]:
    from lab.checks.own_recipe.suite import right

    return right()


@pytest.mark.parametrize(
    ("id", "answer", "case"),
    [
        ("12-3", until_the_page_is_full, "10 movies from number 0"),
        ("01-2", catching_everything, "one viewer, at second 5"),
        ("10-3", until_something_comes, "an empty queue"),
        ("14-4", until_it_is_written, "a MongoDB that does not answer"),
    ],
)
def test_an_answer_that_never_ends_is_stopped_and_told(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, id: str, answer: Any, case: str
) -> None:
    monkeypatch.setattr(sys.modules["lab.checks.exercise"], "PATIENCE", 2.0)
    before = set(threading.enumerate())
    verdict = check(id, answer)
    assert not verdict
    assert "had no answer after" in verdict.message, verdict
    assert case in verdict.message
    lab.wait_until(lambda: not [t for t in set(threading.enumerate()) - before if is_a_call(t)])


def is_a_call(thread: threading.Thread) -> bool:
    return "(call)" in thread.name


def test_a_call_that_ends_is_no_different() -> None:
    assert limit.within(60, lambda a, b: a + b, 1, 2) == 3
    with pytest.raises(KeyError):
        limit.within(60, {}.__getitem__, "a")


def queues(r: Any, queue: str, key: str, command: list[str], doc: str) -> None:
    r.execute_command(command[0], key, *command[1:])
    r.xadd(queue, {"key": key, "doc": doc})


def refuses_by_itself(
    r: Any, queue: str, key: str, command: list[str], cap: int, once: str
) -> None:
    if r.xlen(queue) >= cap:
        raise ValueError("full")
    r.eval(right_pieces()["CAPTURE"], 3, key, queue, once, cap, *command)


def leaves_the_kernel(pauses: list[Any]) -> list[Any]:
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("id", "answer", "told"),
    [
        ("01-1", leaves_the_kernel, "`SystemExit: 1`"),
        ("09-2", lambda history, found: [{"viewer": "ann"}], "no viewer's name"),
        ("02-2", lambda redis_url, mongo_url: [["redis"]], "not a list of names"),
        ("06-2", lambda entries, c: [c.insert_one({"a": e[1]}) for e in entries], "no `movieId`"),
        (
            "06-2",
            lambda entries, c: [c.insert_one({"movieId": [1]}) for e in entries],
            "no `movieId`|twice",
        ),
        (
            "14-1",
            lambda r, q, key, c, cap, once: queues(r, q, key, c, "no JSON"),
            "which is no JSON",
        ),
        ("14-1", refuses_by_itself, "let the script do it"),
        ("08-2", lambda r, key, document: True, "Who writes it there?"),
        ("10-3", lambda r, queue, me: r.xrange(queue), "`XRANGE` shows all"),
        ("06-1", {"title": "Heat"}, "of type dict"),
        ("06-1", {"Heat"}, "'Heat' would pass"),
        ("04-2", "GB().map(lambda r: r['value']['age']).run('person:*')", "'age'. One who says"),
        ("14-4", lambda reviews, entries: [("1-0", "Review:1", "no")], "not a list of (entry_id"),
    ],
)
def test_an_answer_of_another_form_is_told(stack: Stack, id: str, answer: Any, told: str) -> None:
    verdict = check(id, answer)
    assert not verdict
    assert "could not be checked" not in verdict.message, verdict
    assert any(one in verdict.message for one in told.split("|")), verdict


def test_titles_are_compared_with_movies_that_are_there(stack: Stack) -> None:
    lab.prepare("movies")
    assert "titles are missing" in check("03-1", ("No Such Film",)).message
    lab.reset()
    for answer in ([], ["No Such Film"]):
        verdict = check("03-1", answer)
        assert not verdict
        assert "cells that load them" in verdict.message


def test_somebody_without_an_age_is_no_fault_of_the_answer(stack: Stack) -> None:
    """Who goes on before Gale has left meets her in 04-1, too."""
    lab.prepare("empty")
    stack.redis.hset("person:7", mapping={"name": "Gale", "age": "unknown"})
    careful = """
GB().filter(lambda r: r["value"]["age"].isdigit() and int(r["value"]["age"]) >= 40)\
    .map(lambda r: r["value"]["name"]).sort().run("person:*")
"""
    try:
        assert check("04-1", careful)
    finally:
        stack.redis.delete("person:7")


@pytest.mark.parametrize("id", ["04-1", "05-1"])
def test_a_script_that_never_ends_is_told_with_its_remedy(
    breakable: Stack, monkeypatch: pytest.MonkeyPatch, id: str
) -> None:
    monkeypatch.setattr(registered, "PATIENCE", 2.0)
    verdict = check(
        id, "def f(r):\n    while True:\n        pass\n\nGB('ShardsIDReader').map(f).run()"
    )
    assert "has not ended after 2 s" in verdict.message, verdict
    assert 'lab.kill("minigears")' in verdict.message
    lab.kill("minigears")
    lab.start("minigears")
    assert registrations(breakable.redis) == []

"""Every exercise in every state that a stack may be in.

A right answer passes, or the message says what to do first; a wrong one never passes; nothing is left.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

import lab
from lab.checks import needs
from lab.checks.exercise import Exercise
from lab.checks.limit import within
from lab.checks.own_recipe import suite
from lab.course.quizzes import QUIZZES
from lab.course.quizzes.question import LETTERS
from lab.course.twelve import Twelve
from lab.stack.model import Stack
from tests.lab.checks.states import QUICK, STATES, held, no_trouble
from tests.lab.checks.test_exercises import ALL
from tests.lab.checks.wrong_answers import OF_EACH_KIND, near_misses
from tests.lab.conftest import own_stack

SAYS_WHAT_TO_DO = re.compile(
    r"`lab\.(up|prepare|start)\(|[Rr]un [^.]*cells?\b|`stack\.redis\.\w+\(|`CONFIG SET"
)


OWN = re.compile(r"(14|Review):check:|check_\d\d$")
"""Names that nobody but a check uses: what an interrupted one has left there may go."""

WRITES_ELSEWHERE = "other"  # where a wrong answer to 05-1 has its entries: nobody can know of that

SLOW = {"02-2"}  # waits for servers that hang; it looks at nothing that one of these states changes
_RESTARTS = {"02-1"}


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with own_stack(tmp_path_factory.mktemp("states") / "lab") as stack:
        yield stack


@pytest.fixture(scope="module")
def right(mine: Stack) -> dict[str, dict[str, Any]]:
    """What each solution leaves in its variables where all is there."""
    lab.prepare("empty", "movies")
    names = {"stack": mine, "lab": lab}
    return {exercise.id: exercise.run(exercise.solution, names) for exercise in ALL}


@pytest.mark.xdist_group("states")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "state",
    [pytest.param(state, marks=[] if state in QUICK else pytest.mark.long) for state in STATES],
)
def test_the_answer_is_judged_and_not_the_stack(
    mine: Stack, right: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    # The suite of the twelve has servers of its own: this stack's state is nothing to it.
    monkeypatch.setattr(suite.twelve, "judge_pieces", lambda *_: Twelve((), "not judged here"))
    if state.startswith("MongoDB"):
        monkeypatch.setattr(needs, "_PATIENCE", 0.2)
    bring, trouble = STATES[state]
    lab.up()
    bring(mine)
    before = held(mine)
    faults: list[str] = []
    with trouble(mine):
        for exercise in ALL:
            if exercise.id not in SLOW or trouble is not no_trouble or state == "movies":
                faults += right_called_wrong(
                    exercise,
                    right[exercise.id],
                    strictly=state == "movies" and exercise.id not in _RESTARTS,
                )
            faults += wrong_passed(exercise, mine)
        questions_and_predictions_ask_no_store()
    mine.redis.delete(WRITES_ELSEWHERE)
    after = held(mine)
    faults += [f"left behind: {one}" for one in after.keys() - before.keys()]
    faults += [
        f"changed: {one}" for one in before if not OWN.search(one) and after.get(one) != before[one]
    ]
    assert not faults, "\n".join([f"in the state {state!r}:", *faults])


def right_called_wrong(
    exercise: Exercise, answers: dict[str, Any], strictly: bool = False
) -> Iterator[str]:
    given = [answers]
    if not callable(answers[exercise.asks[0]]) and exercise.id not in _RESTARTS:
        with contextlib.suppress(Exception):  # then the learner's own cell raises: nothing to check
            names = {name: answers[name] for name in ("stack", "lab")}
            given.append(within(5.0, exercise.run, exercise.solution, names))
    for one in given:
        passed, told = exercise.judge(one)
        if not passed and (strictly or not SAYS_WHAT_TO_DO.search(told)):
            yield f"{exercise.id}, a right answer: {told}"


def wrong_passed(exercise: Exercise, stack: Stack) -> Iterator[str]:
    names = {"stack": stack, "lab": lab}
    wrong = [] if exercise.id in _RESTARTS else [exercise.run(exercise.stub, names)]
    answers = [(answer,) * len(exercise.asks) for answer in OF_EACH_KIND]
    for answer in answers + near_misses(stack).get(exercise.id, []):
        wrong.append({**names, **dict(zip(exercise.asks, answer, strict=True))})
    for given in wrong:
        passed, told = exercise.judge(given)
        if passed or "could not be checked" in told:
            yield f"{exercise.id}, {[given.get(name) for name in exercise.asks]}: {passed}, {told}"


def questions_and_predictions_ask_no_store() -> None:
    for notebook, questions in QUIZZES.items():
        letters = [next(one for one in LETTERS if q.is_right(one)) for q in questions]
        assert lab.quiz(notebook, *letters)
        assert not lab.quiz(notebook)
    assert lab.predict("06-1", 4).said == 4
    assert lab.predict("06-1", happened=4).came_true

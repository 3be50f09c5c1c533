"""What an exercise is made of."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from pymongo.errors import PyMongoError

from lab.checks.limit import Endless, within
from lab.stack.lifecycle import current
from lab.stack.model import Stack

PATIENCE = 20.0
"""Seconds for an answer; the slowest that is right needs a few on a busy machine."""


class Wrong(Exception):
    """Raised by an exercise's check; the message says what is wrong, not what is right."""


def ask(function: Callable[..., Any], *given: Any, case: str) -> Any:
    """Return what the learner's function answers. Raises Wrong with the case when it raises.

    Also when it has no answer in time, and when it still returns the stub's `...`.

    `case` completes "For ... your function raised".
    """
    try:
        said = within(PATIENCE, function, *given)
    except Endless:
        raise Wrong(
            f"For {case} your function had no answer after {PATIENCE:.0f} s, and was stopped. Does a loop "
            "never end, or does it wait for something that never comes?"
        ) from None
    except (Exception, SystemExit) as problem:
        told = f"{type(problem).__name__}: {problem}"
        raise Wrong(f"For {case} your function raised `{told}`{_place(problem)}.") from None
    if said is ...:
        raise Wrong("Your function still returns `...`: replace that with your answer.")
    return said


def ask_for_one(
    function: Callable[..., Any], *given: Any, case: str, of: tuple[str, str, str, str]
) -> Any:
    """Return which of four words the learner's function answers. Raises Wrong for anything else."""
    said = ask(function, *given, case=case)
    if said is None:
        raise Wrong(f"For {case} your function returned `None`, not one of the words.")
    if said not in of:
        raise Wrong(f"For {case} your function returned {said!r}, which is none of the four.")
    return said


def takes_no_writes(told: object) -> str:
    """Say what to do where Redis refuses to write, which is no answer's fault. `told` is its reason."""
    return (
        f"Redis takes no writes now ({told}), and that is no fault of your answer. A restart takes back what an "
        'experiment has set: `lab.stop("redis")`, `lab.start("redis")`; then check again.'
    )


def _refuses_all(problem: redis.RedisError) -> bool:
    """Tell whether Redis would refuse any write, and not only this one."""
    # redis-py makes a class of some errors, and takes the word for it from the message.
    is_known = type(problem).__name__ in ("OutOfMemoryError", "ReadOnlyError")
    return is_known or str(problem).startswith(("NOREPLICAS", "MISCONF"))


def _place(problem: BaseException) -> str:
    """Name the line of the learner's own code that raised."""
    ours = str(Path(__file__).parent)
    frames = [f for f in traceback.extract_tb(problem.__traceback__) if ours not in f.filename]
    line = frames[0].line if frames else ""
    return f", in the line `{line.strip()}`" if line and line.strip() else ""


@dataclass(frozen=True)
class Answer:
    """What a check may look at: the learner's variables, and both stores."""

    variables: Mapping[str, Any]

    @property
    def stack(self) -> Stack:
        """The stack that the notebook works on."""
        return current()

    def __getitem__(self, name: str) -> Any:
        """Return a variable of the learner. Raises Wrong when it is missing or still `...`."""
        if name not in self.variables:
            raise Wrong(
                f"There is no `{name}` yet. Define it in the cell above, run that cell, check again."
            )
        value = self.variables[name]
        if value is ... or value is None:
            shown = "..." if value is ... else repr(value)
            raise Wrong(f"`{name}` is still `{shown}`: replace it with your answer.")
        return value

    def text(self, name: str, of: str) -> str:
        """Return a text of the learner: that `of` "a script". Raises Wrong for anything else."""
        found = self[name]
        if not isinstance(found, str):
            raise Wrong(f"`{name}` is of type {type(found).__name__}, not the text of {of}.")
        return found

    def judge_cases(self, name: str, cases: Mapping[str, tuple[str, str]]) -> None:
        """Judge a dictionary of the learner that has a word for each case.

        `cases` has the right word, and what to think of where the answer is another one. Raises
        Wrong for the first case without the right word.
        """
        given = self[name]
        if not isinstance(given, dict):
            raise Wrong(f"`{name}` is of type {type(given).__name__}, not a dictionary.")
        words = sorted({right for right, _ in cases.values()})
        for case, (right, reason) in cases.items():
            said = given.get(case)
            if said is None or said is ...:
                raise Wrong(f"There is no answer for {case!r} yet.")
            if said not in words:
                known = ", ".join(map(repr, words))
                raise Wrong(f"{case!r} has the answer {said!r}; it is one of {known}.")
            if said != right:
                raise Wrong(f"Think again about {case!r}. {reason}")

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the learner. Raises Wrong when it is missing or something else."""
        found = self[name]
        if not callable(found):
            raise Wrong(f"`{name}` is of type {type(found).__name__}, not a function.")
        function: Callable[..., Any] = found
        return function


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook.

    `stub` is the cell that the learner edits, `solution` the same cell, solved. `asks` names the
    variables that hold the answer. `check` raises Wrong, or returns a line on what is now true.
    `needs`, from `lab.checks.needs`, say what is missing in the stack before an answer is blamed for it.
    """

    id: str
    asks: tuple[str, ...]
    stub: str
    solution: str
    hints: tuple[str, str, str]
    check: Callable[[Answer], str]
    needs: Callable[[Stack], None] | None = None

    def judge(self, variables: Mapping[str, Any]) -> tuple[bool, str]:
        """Return whether the variables hold a right answer, and the words for the learner."""
        answer = Answer(variables)
        try:
            for name in self.asks:
                answer[name]
            if self.needs:
                self.needs(answer.stack)
            return True, self.check(answer)
        except Wrong as wrong:
            return False, str(wrong)
        except (redis.RedisError, PyMongoError) as problem:
            if isinstance(problem, redis.RedisError) and _refuses_all(problem):
                return False, takes_no_writes(problem)
            told = f"The stack does not answer ({type(problem).__name__}: {problem})."
            return False, f"{told} `lab.up()` mends it; then check again."
        except Exception as problem:
            told = f"{type(problem).__name__}: {problem}"
            return False, f"Your answer could not be checked, because checking it raised {told}"

    def run(self, source: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run the stub or the solution as its cell would run, and return all variables after it."""
        after = dict(variables)
        exec(compile(source, f"<exercise {self.id}>", "exec"), after)
        return after

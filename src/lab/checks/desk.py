"""`lab.check`, `lab.hint` and `lab.solution`: what the learner calls."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from lab.checks.exercise import Exercise
from lab.course import ledger
from lab.errors import LabError
from lab.report import as_html

_given: Counter[str] = Counter()


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why not. True when it is."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{'✓ Right.' if self.passed else '✗ Not yet.'} {self.message}"

    def _repr_html_(self) -> str:
        colour = "#3f9c57" if self.passed else "#d1601c"
        told = as_html(repr(self))
        return f'<p style="border-left:4px solid {colour};padding-left:.6em">{told}</p>'


class Words:
    """A text that a notebook shows as Markdown and a terminal as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


def exercise(id: str) -> Exercise:
    """Return an exercise by its id: "06-1" is the first of notebook 06. Raises LabError."""
    notebook, _, _ = id.partition("-")
    known = {known.id: known for known in exercises(notebook)}
    if id not in known:
        raise LabError(f"There is no exercise {id!r}; there are: {', '.join(known) or 'none'}.")
    return known[id]


def exercises(notebook: str) -> tuple[Exercise, ...]:
    """Return the exercises of a notebook ("06"), which `lab/checks/notebooks/nb06.py` defines."""
    try:
        module = importlib.import_module(f"lab.checks.notebooks.nb{notebook}")
    except ModuleNotFoundError as problem:
        if problem.name != f"lab.checks.notebooks.nb{notebook}":
            raise
        return ()
    found: tuple[Exercise, ...] = module.EXERCISES
    return found


def check(id: str, *answers: Any) -> Verdict:
    """Check an exercise and return a verdict that says what is wrong.

    Without `answers` the notebook's own variables are looked at; with them, they are taken for the
    variables that the exercise asks for, in order. `lab progress` counts what has passed once.
    """
    asked = exercise(id)
    given = dict(zip(asked.asks, answers, strict=False))
    passed, message = asked.judge({**notebook_variables(), **given})
    if passed:
        ledger.change(lambda known: known["exercises"].update({id: True}))
    return Verdict(passed, message)


def hint(id: str) -> Words:
    """Return a hint; the next call returns a clearer one, up to the third."""
    asked = exercise(id)
    number = min(_given[id], len(asked.hints) - 1)
    _given[id] += 1
    more = "" if number < len(asked.hints) - 1 else f' That was the last; `lab.solution("{id}")`.'
    return Words(f"**Hint {number + 1} of {len(asked.hints)}.** {asked.hints[number]}{more}")


def solution(id: str) -> Words:
    """Return one way to solve an exercise."""
    return Words(f"```python\n{exercise(id).solution.strip()}\n```")


def notebook_variables() -> dict[str, Any]:
    """Return what the notebook's cells have defined; nothing outside of one."""
    from IPython import get_ipython  # a terminal's lab command needs no IPython

    shell = get_ipython()
    return dict(shell.user_ns) if shell else {}

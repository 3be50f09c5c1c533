"""How far a learner is: exercises and questions that were solved, notebook by notebook."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.checks import exercises
from lab.course import ledger
from lab.course.notebooks import all_notebooks
from lab.course.quizzes import QUIZZES

WIDTH = 20


@dataclass(frozen=True)
class NotebookProgress:
    """A notebook's exercises and questions: how many there are, and how many are solved."""

    number: str
    title: str
    solved: int
    of: int

    @property
    def bar(self) -> str:
        """The share that is solved, as a bar of `WIDTH` signs."""
        filled = WIDTH * self.solved // self.of if self.of else 0
        return "#" * filled + "." * (WIDTH - filled)


def rows() -> list[NotebookProgress]:
    """Return one row for each notebook of the course, in its order."""
    known = ledger.read()
    found = []
    for number, path in all_notebooks().items():
        questions = [f"{number}-{n}" for n in range(1, len(QUIZZES.get(number, ())) + 1)]
        asked = [exercise.id for exercise in exercises(number)]
        solved = sum(one in known["exercises"] for one in asked)
        solved += sum(one in known["quizzes"] for one in questions)
        found.append(
            NotebookProgress(number, title(path.stem), solved, len(asked) + len(questions))
        )
    return found


def title(stem: str) -> str:
    """Return a notebook's heading, or its file's name when the learner has broken it."""
    import nbformat  # takes a second, and most commands need none of it

    path = all_notebooks()[stem.partition("_")[0]]
    try:
        first = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
    except Exception:  # whatever a half-written file raises
        return stem
    heading = re.match(r"# +(.+)", first)
    return heading[1].strip() if heading else stem

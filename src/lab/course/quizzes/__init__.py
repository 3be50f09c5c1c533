"""The questions at the end of each notebook, by its number."""

from __future__ import annotations

from lab.course.quizzes import at_work, first_steps, patterns
from lab.course.quizzes.question import Question

QUIZZES: dict[str, tuple[Question, ...]] = {
    **first_steps.QUIZZES,
    **patterns.QUIZZES,
    **at_work.QUIZZES,
}

__all__ = ["QUIZZES", "Question"]

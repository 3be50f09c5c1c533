"""`lab.quiz`: three questions at the end of a notebook, each wrong answer with its misconception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.checks.desk import Words
from lab.course import ledger
from lab.course.quizzes import QUIZZES, Question
from lab.course.quizzes.question import LETTERS
from lab.errors import LabError
from lab.report import as_html


@dataclass(frozen=True)
class Quiz:
    """The questions of a notebook with what was answered. True when every answer is right."""

    notebook: str
    questions: tuple[Question, ...]
    answers: tuple[str | None, ...]

    def __bool__(self) -> bool:
        return all(
            question.is_right(answer)
            for question, answer in zip(self.questions, self.answers, strict=True)
        )

    def __repr__(self) -> str:
        parts = [
            _lines(number, question, answer)
            for number, (question, answer) in enumerate(
                zip(self.questions, self.answers, strict=True), start=1
            )
        ]
        return "\n\n".join(parts) + "\n\n" + self._next()

    def _repr_html_(self) -> str:
        text = as_html(repr(self))
        return "".join(f"<p>{part}</p>" for part in text.replace("\n", "<br>").split("<br><br>"))

    def _next(self) -> str:
        if self:
            return "All three are right."
        call = f'lab.quiz("{self.notebook}"'
        return (
            f'Answer with letters, in order: `{call}, "a", ..., "c")`. '
            f"A hint for the second: `{call}, hint=2)`."
        )


def quiz(notebook: str, *answers: Any, hint: int | None = None) -> Quiz | Words:
    """Show the three questions of a notebook, and check the answers that are given.

    An answer is the letter of a choice; `...` leaves a question open. `hint=2` returns a hint for
    the second question instead. Raises LabError for a notebook without a quiz, for more answers
    than questions, and for an answer that is no letter of a choice.
    """
    if notebook not in QUIZZES:
        raise LabError(f"There is no quiz {notebook!r}; there are: {', '.join(QUIZZES)}.")
    questions = QUIZZES[notebook]
    if hint is not None:
        if hint not in range(1, len(questions) + 1):
            raise LabError(f"There is no question {hint}; there are {len(questions)}.")
        return Words(f"**Question {hint}.** {questions[hint - 1].hint}")
    if len(answers) > len(questions):
        raise LabError(f"{len(answers)} answers, but there are {len(questions)} questions.")
    letters = [_letter(answer) for answer in answers]
    letters += [None] * (len(questions) - len(letters))
    asked = Quiz(notebook, questions, tuple(letters))
    _remember(asked)
    return asked


def _letter(answer: Any) -> str | None:
    if answer is ... or answer is None:
        return None
    letter = answer.strip().lower() if isinstance(answer, str) else answer
    if letter not in tuple(LETTERS):
        raise LabError(f'{answer!r} is no choice: answer with "a", "b" or "c".')
    return str(letter)


def _remember(asked: Quiz) -> None:
    """Note each question that was answered right; a later wrong answer takes nothing away."""
    right = [
        f"{asked.notebook}-{number}"
        for number, (question, answer) in enumerate(
            zip(asked.questions, asked.answers, strict=True), start=1
        )
        if question.is_right(answer)
    ]
    if right:
        ledger.change(lambda known: known["quizzes"].update(dict.fromkeys(right, True)))


def _lines(number: int, question: Question, answer: str | None) -> str:
    lines = [f"{number}. {question.asks}"]
    lines += [f"   {letter}) {choice.text}" for letter, choice in question.shown.items()]
    if answer is not None:
        chosen = question.shown[answer]
        verdict = "✓ Right." if chosen.is_right else "✗ No."
        lines.append(f"   {answer}: {verdict} {chosen.why}")
    return "\n".join(lines)

"""A question with three choices."""

from __future__ import annotations

import random
from dataclasses import dataclass

LETTERS = "abc"


@dataclass(frozen=True)
class Choice:
    """A choice as a learner sees it, with the sentence that whoever takes it deserves."""

    text: str
    why: str
    is_right: bool


@dataclass(frozen=True)
class Question:
    """Three choices, the right one first, each with a sentence.

    For a wrong one the sentence names the misconception.
    """

    asks: str
    choices: tuple[tuple[str, str], tuple[str, str], tuple[str, str]]
    hint: str

    @property
    def shown(self) -> dict[str, Choice]:
        """The choices by letter, in an order that is the same on every machine and day."""
        order = [Choice(*choice, is_right=not n) for n, choice in enumerate(self.choices)]
        random.Random(self.asks).shuffle(order)
        return dict(zip(LETTERS, order, strict=True))

    def is_right(self, letter: str | None) -> bool:
        """Tell whether a letter is the right answer's; None is no answer."""
        return letter is not None and self.shown[letter].is_right

"""`lab.predict`: a guess before a cell runs, and what happened beside it afterwards."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from lab.course import ledger
from lab.errors import LabError
from lab.report import as_html

_UNSET: Any = object()


@dataclass(frozen=True)
class Prediction:
    """What was predicted, and what happened. `said` is None while nothing was predicted."""

    id: str
    said: Any = None
    happened: Any = _UNSET

    @property
    def came_true(self) -> bool | None:
        """Whether it happened as it was said; None while one of the two is missing."""
        if self.said is None or self.happened is _UNSET:
            return None
        return bool(_plain(self.said) == _plain(self.happened))

    def __repr__(self) -> str:
        said = "nothing yet: put your guess in the place of `...`"
        if self.said is not None:
            said = _shown(self.said)
        if self.happened is _UNSET:
            return f"Your prediction {self.id}: {said}"
        return f"You predicted: {said}\nIt was:        {_shown(self.happened)}{self._comment()}"

    def _repr_html_(self) -> str:
        colour = {True: "#3f9c57", False: "#d1601c", None: "#808080"}[self.came_true]
        lines = "<br>".join(map(as_html, repr(self).splitlines()))
        return f'<p style="border-left:4px solid {colour};padding-left:.6em">{lines}</p>'

    def _comment(self) -> str:
        if self.came_true is None:
            return ""
        if self.came_true:
            return "\nAs you said."
        factors = _factors(self.said, self.happened)
        if factors:
            return f"\nYou were off by a factor of {', '.join(f'{one:.1f}' for one in factors)}."
        return "\nNot what you said. Why? Read on."


def predict(id: str, guess: Any = ..., *, happened: Any = _UNSET) -> Prediction:
    """Remember a guess, or show the remembered one beside what `happened`.

    `lab.predict("06-1", 4)` before a cell, `lab.predict("06-1", happened=len(found))` after it.
    A guess is a number, a text, a truth value or a list of these; `...` is no guess yet, and stops
    nothing. The last guess of an id counts, also after a restart of the kernel. Raises LabError for
    an id that is not like "06-1", and for a guess that is of another type.
    """
    if not re.fullmatch(r"\d\d[a-z]?-\d+", id):
        raise LabError(f'{id!r} names no prediction; an id is like "06-1": notebook, then number.')
    if guess is not ... and guess is not None:
        if not _is_plain(guess):
            raise LabError(
                f"A prediction is a number, a text, True or False, or a list of these, and not "
                f"{type(guess).__name__}."
            )
        ledger.change(lambda known: known["predictions"].update({id: guess}))
    said = ledger.read()["predictions"].get(id)
    return Prediction(id, said, happened)


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(one) for one in value)
    finite = not isinstance(value, float) or math.isfinite(value)
    return isinstance(value, (str, bool, int, float)) and finite


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _factors(said: Any, happened: Any) -> list[float]:
    """Return by how much each number was missed, 1.0 or more; nothing where that has no sense."""
    pairs = [said], [happened]
    if isinstance(said, list) and isinstance(happened, (list, tuple)):
        pairs = said, list(happened)
    if len(pairs[0]) != len(pairs[1]):
        return []
    if not all(_is_number(one) and one > 0 for one in (*pairs[0], *pairs[1])):
        return []
    return [max(a / b, b / a) for a, b in zip(*pairs, strict=True)]


def _plain(value: Any) -> Any:
    """Return a value as it is compared: words without case or outer space."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.strip().casefold() if isinstance(value, str) else value


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)

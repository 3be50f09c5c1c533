"""Cuts a failing run down to the fewest steps that still fail. Pure: it asks whether a shorter one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Step = TypeVar("Step")


def shrink(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """Return a subsequence that still fails and does not when any one step is left out.

    `fails` runs a sequence and says whether it shows the fault. Delta debugging after Zeller and
    Hildebrandt (2002): leave out halves, then quarters, down to single steps. Raises ValueError when
    the whole does not fail.
    """
    left = list(steps)
    if not fails(left):
        raise ValueError("the whole run does not fail: nothing to cut down")
    size = max(1, len(left) // 2)
    while True:
        shorter = _without_a_part(left, size, fails)
        if shorter is not None:
            left = shorter
            size = min(size, max(1, len(left) // 2))
        elif size == 1:
            return left
        else:
            size = max(1, size // 2)


def _without_a_part(
    steps: list[Step], size: int, fails: Callable[[Sequence[Step]], bool]
) -> list[Step] | None:
    for begin in range(0, len(steps), size):
        shorter = steps[:begin] + steps[begin + size :]
        if len(shorter) < len(steps) and fails(shorter):
            return shorter
    return None

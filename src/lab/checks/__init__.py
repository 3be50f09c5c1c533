"""Exercises that check themselves: one module for each notebook, `nb03.py` for notebook 03.

A module defines `EXERCISES`, a tuple of `Exercise`. See `nb03.py` for one to start from.
"""

from __future__ import annotations

from lab.checks.desk import Verdict, check, exercise, exercises, hint, solution
from lab.checks.exercise import Answer, Exercise, Wrong

__all__ = [
    "Answer",
    "Exercise",
    "Verdict",
    "Wrong",
    "check",
    "exercise",
    "exercises",
    "hint",
    "solution",
]

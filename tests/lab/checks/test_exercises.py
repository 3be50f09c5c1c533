"""Every exercise: its solution passes, its untouched stub does not."""

from __future__ import annotations

import pkgutil

import pytest

import lab
from lab import checks
from lab.checks import notebooks
from lab.checks.exercise import Exercise
from lab.stack.model import Stack

ALL = [
    exercise
    for module in pkgutil.iter_modules(notebooks.__path__)
    for exercise in checks.exercises(module.name.removeprefix("nb"))
]


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.id)
def test_solution_passes_and_stub_does_not(stack: Stack, exercise: Exercise) -> None:
    lab.prepare("empty", "movies")
    names = {"stack": stack, "lab": lab}
    passed, told = exercise.judge(exercise.run(exercise.stub, names))
    assert not passed, told
    passed, told = exercise.judge(exercise.run(exercise.solution, names))
    assert passed, told


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.id)
def test_hints_go_from_vague_to_nearly_there(exercise: Exercise) -> None:
    assert len(set(exercise.hints)) == 3
    assert all(hint.strip() for hint in exercise.hints)

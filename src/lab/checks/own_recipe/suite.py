"""The right pieces, a clean queue to try one on, and the suite of the twelve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from lab.checks.exercise import Wrong
from lab.checks.own_recipe import solutions
from lab.course import twelve

QUEUE, KEY, ONCE = "14:check:queue", "Review:check:1", "14:check:once"
_PATIENCE = 30.0  # seconds; what is right needs none of it, but on a busy machine
Function = Callable[..., Any]


@contextmanager
def clean(client: redis.Redis) -> Iterator[redis.Redis]:
    """A client whose Redis has nothing of an earlier check, and keeps nothing of this one."""
    names = ("14:check:*", "Review:check:*")

    def sweep() -> None:
        for name in names:
            if keys := list(client.scan_iter(name, count=1000)):
                client.delete(*keys)

    sweep()
    try:
        yield client
    finally:
        sweep()


def right() -> dict[str, Any]:
    """The pieces of the solutions, which find each other."""
    names: dict[str, Any] = {}
    for solution in solutions.ALL:
        exec(compile(solution, "<solution>", "exec"), names)
    return names


def agrees(pieces: dict[str, Function], *numbers: int) -> str:
    """Let the suite of the twelve judge a recipe with these pieces. Raises Wrong with what it saw."""
    found = twelve.judge_pieces(right() | pieces, numbers, _PATIENCE)
    for one in found.judged:
        if not one.holds:
            raise Wrong(
                f"The suite has something against it. {one.number}, {one.title}: {one.seen}."
            )
    return found.cannot or f"The suite agrees: {', '.join(map(str, numbers))}."

"""What the user is told when something does not work: what happened, and what helps."""

from __future__ import annotations

from typing import Any

from pymongo.errors import PyMongoError, ServerSelectionTimeoutError
from redis import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout


class Trouble(Exception):
    """Something that the app cannot do now. `told` says what happened, `advice` what helps."""

    def __init__(self, told: str, advice: str) -> None:
        super().__init__(f"{told} {advice}")
        self.told, self.advice = told, advice


class Conflict(Exception):
    """The document is no longer the one that the user saw; `now` is what it is (None: deleted)."""

    def __init__(self, now: dict[str, Any] | None) -> None:
        super().__init__("the document has changed")
        self.now = now


STORES = (RedisError, PyMongoError, OSError)
"""What the clients of both stores raise."""


def trouble_of(problem: BaseException) -> Trouble:
    """Return a store's error as the user is told of it."""
    if isinstance(problem, ServerSelectionTimeoutError):
        return Trouble(
            "MongoDB does not answer, so nothing was written.",
            "Try again once it is back; or choose a write-behind, which does not wait for it.",
        )
    if isinstance(problem, PyMongoError):
        return Trouble(
            f"MongoDB did not confirm the write: {_brief(problem)}.",
            "It may have happened all the same. Saving again does no harm.",
        )
    if isinstance(problem, ResponseError) and "MongoDB did not confirm" in str(problem):
        return Trouble(
            "Redis has it, but MongoDB did not confirm it. That is what write-through says when MongoDB is away.",
            "Save again once MongoDB is back: until then the two differ, and no queue remembers it.",
        )
    if isinstance(problem, RedisTimeout):
        return Trouble(
            "Redis did not answer in time.",
            "The write may have happened all the same. Saving again does no harm.",
        )
    if isinstance(problem, ResponseError):
        return Trouble(f"Redis refused it: {_brief(problem)}.", "Nothing was changed.")
    return Trouble(
        "Redis does not answer.", "Start it again (lab up); this page goes on by itself."
    )


def _brief(problem: BaseException) -> str:
    lines = str(problem).splitlines() or [type(problem).__name__]
    return lines[0][:160].rstrip(". ")

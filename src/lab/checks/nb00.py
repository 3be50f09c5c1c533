"""Notebook 00: look around the lab."""

from __future__ import annotations

from urllib.parse import urlsplit

from lab.checks.exercise import Answer, Exercise, Wrong


def _check_port(answer: Answer) -> str:
    given = answer["front_door_port"]
    if isinstance(given, bool) or not isinstance(given, int):
        raise Wrong(f"`front_door_port` is a {type(given).__name__}; a port is a whole number.")
    stack = answer.stack
    front, direct, mongo = (
        urlsplit(url).port for url in (stack.redis_url, stack.redis_direct_url, stack.mongo_url)
    )
    if given == front:
        return f"Commands go to port {given}: `{stack.cli}`."
    if given == direct:
        raise Wrong(f"{given} is Redis's own port. Its row does not say that it is the front door.")
    if given == mongo:
        raise Wrong(f"{given} is MongoDB's port. Asked for is the one that Redis clients use.")
    raise Wrong(f"No part of this stack listens on {given}. Look at the column `address`.")


FRONT_DOOR = Exercise(
    id="00-1",
    asks=("front_door_port",),
    stub="""\
front_door_port = ...  # the port of the front door: a whole number
""",
    solution="""\
from urllib.parse import urlsplit

front_door_port = urlsplit(stack.redis_url).port
""",
    hints=(
        "The answer is in the table that `stack` shows.",
        "Look for the row of the front door. A port is what stands behind the colon.",
        "`stack.redis_url` is the address of the front door: its last number is the port.",
    ),
    check=_check_port,
)

EXERCISES = (FRONT_DOOR,)

"""Notebook 01: measure the problem."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.checks.exercise import Answer, Exercise, Wrong, ask

_PAUSES: list[dict[str, Any]] = [
    {"_id": "ann:7", "user": "ann", "movieId": "7", "seconds": 60},
    {"_id": "bob:7", "user": "bob", "movieId": "7", "seconds": 900},
    {"_id": "ann:7", "user": "ann", "movieId": "7", "seconds": 4000},
    {"_id": "ann:9", "user": "ann", "movieId": "9", "seconds": 5},
    {"_id": "ann:7", "user": "ann", "movieId": "7", "seconds": 3000},  # wound back
]


def _check_latest(answer: Answer) -> str:
    latest = answer.function("latest")
    given = ask(latest, [dict(pause) for pause in _PAUSES], case="five pauses of two viewers")
    if given is ... or given is None:
        raise Wrong(f"`latest` returns `{given!r}`: replace that with the list of pauses.")
    if isinstance(given, dict) or not isinstance(given, Iterable):
        raise Wrong("`latest` must return a list of the pauses themselves, as they came in.")
    given = ask(list, given, case="five pauses of two viewers")
    if not all(isinstance(pause, dict) for pause in given):
        raise Wrong("`latest` must return a list of the pauses themselves, as they came in.")
    _judge(given)
    if ask(lambda: list(latest([])), case="no pauses at all (`[]`)"):
        raise Wrong("For no pauses at all, `latest` must return an empty list.")
    return f"{len(_PAUSES)} pauses become 3 writes, and each document ends as it would have."


def _judge(given: list[dict[str, Any]]) -> None:
    last = {pause["_id"]: pause for pause in _PAUSES}
    ids = [pause.get("_id") for pause in given]
    for id in last:
        if id not in ids:
            raise Wrong(f"The pause of `{id}` is missing: each viewer and movie needs one.")
        if ids.count(id) > 1:
            raise Wrong(f"`{id}` is there {ids.count(id)} times: still as many writes as before.")
    for pause in given:
        wanted = last.get(pause.get("_id"))
        if wanted is None:
            raise Wrong(f"`{pause}` is none of the pauses that came in: return those as they are.")
        if pause != wanted:
            raise Wrong(
                f"`{pause['_id']}` has {pause.get('seconds')} seconds, but the last pause says "
                f"{wanted['seconds']}. A viewer may wind back: the last counts, not the greatest."
            )


LATEST = Exercise(
    id="01-1",
    asks=("latest",),
    stub="""\
def latest(pauses):
    return ...  # a list: of each _id, only the pause that came last
""",
    solution="""\
def latest(pauses):
    last = {}
    for pause in pauses:
        last[pause["_id"]] = pause
    return list(last.values())
""",
    hints=(
        "Which container of Python keeps one value for each name?",
        "Go through the pauses in order and put each into a dictionary under its `_id`.",
        '`last[pause["_id"]] = pause` overwrites the earlier one. Return `list(last.values())`.',
    ),
    check=_check_latest,
)

EXERCISES = (LATEST,)

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
    if given is None:
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

# Seconds at which viewers press, writes a second, how long each waits, and the misconception.
_CROWDS: tuple[tuple[str, list[float], float, list[float], str], ...] = (
    ("nobody", [], 10, [], "Nobody waits."),
    (
        "one viewer, at second 5",
        [5.0],
        10,
        [0.1],
        "With ten writes a second a write takes 0.1 seconds, and the wait begins when the viewer presses.",
    ),
    (
        "two viewers at the same moment",
        [0.0, 0.0],
        10,
        [0.1, 0.2],
        "The second one's write begins when the first one's is done.",
    ),
    (
        "four viewers at once, and a fifth when the burst is over",
        [0.0, 0.0, 0.0, 0.0, 0.35],
        10,
        [0.1, 0.2, 0.3, 0.4, 0.15],
        "The fifth presses at 0.35, and the database is busy with the four until 0.4: a queue outlasts "
        "its burst.",
    ),
    (
        "a quiet hour between the first viewer and the next two",
        [0.0, 3600.0, 3600.0],
        10,
        [0.1, 0.1, 0.2],
        "An idle hour is not saved up: a write cannot begin before its viewer has pressed.",
    ),
)


def _check_waits(answer: Answer) -> str:
    waits = answer.function("waits")
    for case, arrivals, capacity, wanted, why in _CROWDS:
        given = ask(waits, list(arrivals), capacity, case=case)
        if not isinstance(given, Iterable):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of seconds.")
        told = ask(lambda given=given: [float(wait) for wait in given], case=case)
        if len(told) != len(wanted):
            raise Wrong(f"For {case} you return {len(told)} numbers: each arrival has one wait.")
        if any(abs(mine - right) > 1e-6 for mine, right in zip(told, wanted, strict=True)):
            shown = [round(wait, 3) for wait in told]
            raise Wrong(f"For {case} you say {shown}, not {wanted}. {why}")
    return "One line that waits its turn: this is the storm that you have measured, without a database."


WAITS = Exercise(
    id="01-2",
    asks=("waits",),
    stub="""\
def waits(arrivals, capacity): ...  # of each arrival, the seconds until its write is done
""",
    solution="""\
def waits(arrivals, capacity):
    free, result = 0, []
    for pressed in arrivals:
        free = max(free, pressed) + 1 / capacity
        result.append(free - pressed)
    return result
""",
    hints=(
        "Play it with coins: what do you have to remember from one viewer to the next?",
        "Remember the moment at which the database is free again. A write takes `1 / capacity` seconds.",
        "A write begins at `max(free, pressed)`; it ends `1 / capacity` later, and then it is free again.",
    ),
    check=_check_waits,
)

EXERCISES = (LATEST, WAITS)

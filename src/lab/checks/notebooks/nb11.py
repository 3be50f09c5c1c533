"""Notebook 11: take it to work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.checks.exercise import Answer, Exercise, Wrong, ask

_QUIET = {"oldest": 0.2, "entries": 3, "dead": 0, "up": True}
_CASES: tuple[tuple[str, dict[str, Any], bool, str], ...] = (
    ("a quiet night", _QUIET, False, "Everything is well: nothing is old, nothing was given up."),
    (
        "a premiere: 40,000 entries, the oldest 2 s old",
        {**_QUIET, "entries": 40_000, "oldest": 2.0},
        False,
        "A deep queue that is young is a busy evening: the workers keep up. Depth is no alarm, age is.",
    ),
    (
        "an outage at night: 3 entries, the oldest 15 minutes old",
        {**_QUIET, "oldest": 900.0, "up": False},
        True,
        "Three entries are few, but they have waited for 15 minutes: at night an outage looks like this.",
    ),
    (
        "no worker at all: 12 entries, the oldest 15 minutes old, no error",
        {**_QUIET, "entries": 12, "oldest": 900.0},
        True,
        "Without a worker nobody reports an error. The age shows it all the same.",
    ),
    (
        "one dead letter, all else quiet",
        {**_QUIET, "dead": 1},
        True,
        "A dead letter waits for a person: no worker will ever try it again.",
    ),
    (
        "a hiccup: the database refused one batch, the oldest entry is 4 s old",
        {**_QUIET, "oldest": 4.0, "up": False},
        False,
        "A worker tries again by itself; wake somebody when that does not help for a minute.",
    ),
    (
        "a slow evening: the oldest is 45 s old",
        {**_QUIET, "entries": 900, "oldest": 45.0},
        False,
        "A minute of lateness is tolerable.",
    ),
    (
        "MongoDB hesitates: the oldest is 90 s old",
        {**_QUIET, "entries": 900, "oldest": 90.0},
        True,
        "A minute of lateness is tolerable, and this is more.",
    ),
)


def _check_wake(answer: Answer) -> str:
    wake = answer.function("wake")
    for case, seen, wanted, why in _CASES:
        _judge_wake(wake, case, seen, wanted, why)
    return "Age and dead letters wake somebody; depth and a hiccup let them sleep."


def _judge_wake(
    wake: Callable[..., Any], case: str, seen: dict[str, Any], wanted: bool, why: str
) -> None:
    given = ask(wake, dict(seen), case=case)
    if given is None:
        raise Wrong(f"For {case} your function returned `{given!r}`, not True or False.")
    if not isinstance(given, bool):
        raise Wrong(
            f"For {case} your function returned a value of type {type(given).__name__}, not True or False."
        )
    if given != wanted:
        raise Wrong(f"For {case} you {'wake somebody' if given else 'wake nobody'}. {why}")


WAKE = Exercise(
    id="11-1",
    asks=("wake",),
    stub="""\
def wake(seen):
    return ...  # True when somebody has to get up
""",
    solution="""\
def wake(seen):
    return seen["oldest"] > 60 or seen["dead"] > 0
""",
    hints=(
        "Which of the four figures says that a *person* is needed, and not only patience?",
        "A crowd makes the queue deep, an outage makes it old.",
        "Two comparisons with `or`: one of them is against 60 seconds.",
    ),
    check=_check_wake,
)

WHY, RECONCILE, BACKFILL = "why", "reconcile --repair", "backfill"
REPLAY, TERMINATE = "dead-letters replay", "SIGTERM"

_RUNBOOK = {
    "support: this one movie is stale": (
        WHY,
        "It is about one key, and you do not know yet what is the matter. What follows one key?",
    ),
    "MongoDB was restored from last night's backup": (
        RECONCILE,
        "Nothing is queued, and an unknown number of documents is old. What compares both stores?",
    ),
    "a service is switched to capture, its Redis is full of documents": (
        BACKFILL,
        "Those documents were never in the queue, and the database is empty. What queues them all?",
    ),
    "the index that refused 200 documents is dropped": (
        REPLAY,
        "The 200 writes wait, each with its version, where a person has to send them again.",
    ),
    "a new version of the worker is deployed": (
        TERMINATE,
        "Nothing is wrong. How does an old worker settle what it has begun, and end?",
    ),
}


def _check_runbook(answer: Answer) -> str:
    answer.judge_cases("runbook", _RUNBOOK)
    return "Look first where one key is concerned, compare where many may be, replay what was kept."


RUNBOOK = Exercise(
    id="11-2",
    asks=("runbook",),
    stub="""\
runbook = {  # "why", "reconcile --repair", "backfill", "dead-letters replay" or "SIGTERM"
    "support: this one movie is stale": ...,
    "MongoDB was restored from last night's backup": ...,
    "a service is switched to capture, its Redis is full of documents": ...,
    "the index that refused 200 documents is dropped": ...,
    "a new version of the worker is deployed": ...,
}
""",
    solution="""\
runbook = {
    "support: this one movie is stale": "why",
    "MongoDB was restored from last night's backup": "reconcile --repair",
    "a service is switched to capture, its Redis is full of documents": "backfill",
    "the index that refused 200 documents is dropped": "dead-letters replay",
    "a new version of the worker is deployed": "SIGTERM",
}
""",
    hints=(
        "You used each of the five once in this notebook. What was the matter each time?",
        "One of them only looks, one ends a process, three put entries into the queue.",
        "Of the three: one takes what was refused, one what differs, one everything.",
    ),
    check=_check_runbook,
)


# Samples (second, counter), the rate, and the misconception behind anything else.
_SAMPLES: tuple[tuple[str, list[tuple[float, int]], float, str], ...] = (
    ("no samples", [], 0.0, "A worker that has just started has none."),
    ("one sample", [(10.0, 500)], 0.0, "One sample says how many, and not how fast."),
    ("a steady worker", [(0.0, 100), (10.0, 200), (20.0, 300)], 10.0, "200 in 20 seconds."),
    (
        "a worker that has run for long",
        [(0.0, 1_000_000), (10.0, 1_000_050)],
        5.0,
        "What it did before the first sample is not in this time.",
    ),
    (
        "samples at uneven times",
        [(0.0, 0), (1.0, 100), (10.0, 100)],
        10.0,
        "100 in 10 seconds; the mean of 100 a second and 0 a second is something else.",
    ),
    (
        "a worker that was restarted",
        [(0.0, 900), (10.0, 1000), (20.0, 50), (30.0, 150)],
        250 / 30,
        "A counter that falls began again at 0: 100, then 50, then 100. No work is ever undone.",
    ),
    (
        "two restarts",
        [(0.0, 10), (10.0, 5), (20.0, 5), (30.0, 2)],
        7 / 30,
        "Each fall is a restart: 5, then 0, then 2.",
    ),
    ("two samples of one moment", [(5.0, 10), (5.0, 10)], 0.0, "No time has passed."),
)


def _check_rate(answer: Answer) -> str:
    rate = answer.function("rate")
    for case, samples, wanted, why in _SAMPLES:
        given = ask(rate, list(samples), case=case)
        if isinstance(given, bool) or not isinstance(given, (int, float)):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a number.")
        if abs(given - wanted) > 1e-6:
            negative = " A negative rate would be work undone." if given < 0 else ""
            raise Wrong(
                f"For {case} your function returned {given:g}, not {wanted:g}.{negative} {why}"
            )
    return f"Right in all {len(_SAMPLES)} cases: a restart no longer looks like a disaster."


RATE = Exercise(
    id="11-3",
    asks=("rate",),
    stub="""\
def rate(samples): ...  # yours: entries a second, from samples (second, counter)
""",
    solution="""\
def rate(samples):
    done = 0
    for (_, before), (_, after) in zip(samples, samples[1:], strict=False):
        done += after - before if after >= before else after
    seconds = samples[-1][0] - samples[0][0] if samples else 0
    return done / seconds if seconds else 0.0
""",
    hints=(
        "Try it on paper: 900, 1000, 50, 150. How many entries were written in between?",
        "Look at neighbours, two at a time. What does it mean when the second is smaller?",
        "Add `after - before`, or `after` alone where it fell; divide once, by the time from first to last.",
    ),
    check=_check_rate,
)

EXERCISES = (WAKE, RUNBOOK, RATE)

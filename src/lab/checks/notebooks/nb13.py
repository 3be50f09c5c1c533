"""Notebook 13: see it in the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lab.cells.timemachine import Write
from lab.checks.exercise import Answer, Exercise, Wrong, ask

ENTRY, ANSWER, MONGO, COMMIT, GONE = "entry", "answer", "mongo on", "commit", "entry gone"
EVENTS = {ENTRY, ANSWER, MONGO, COMMIT, GONE}

_RULES = (
    # what comes first, what comes later, and what is behind the belief that it is the other way round
    (
        ANSWER,
        COMMIT,
        "If the viewer's answer came after MongoDB had the movie, the click would have hung. That is "
        "write-through. How long did yours take?",
    ),
    (
        ANSWER,
        MONGO,
        "The answer came while MongoDB was off: nobody who writes waits for it to come back.",
    ),
    (
        ENTRY,
        ANSWER,
        "If the answer came first, a crash right after it would lose a write that was promised. "
        "Redis keeps the movie and adds the entry in one step, and only then answers.",
    ),
    (MONGO, COMMIT, "MongoDB cannot have the movie before it is on again."),
    (
        COMMIT,
        GONE,
        "If the entry left before MongoDB had the movie, a worker that dies in between would take "
        "the write with it. That is at-most-once delivery.",
    ),
)


def _check_story(answer: Answer) -> str:
    given = answer["happened"]
    if not isinstance(given, (list, tuple)):
        raise Wrong(f"`happened` is of type {type(given).__name__}, not a list of five words.")
    if strange := [word for word in given if not isinstance(word, str) or word not in EVENTS]:
        raise Wrong(f"{strange[0]!r} is none of the five: {', '.join(sorted(EVENTS))}.")
    if len(given) != len(EVENTS) or set(given) != EVENTS:
        missing = ", ".join(sorted(EVENTS - set(given))) or "none, but one is there twice"
        raise Wrong(f"Each of the five happens once. Missing: {missing}.")
    for first, later, misconception in _RULES:
        if given.index(first) > given.index(later):
            raise Wrong(f"You say that {later!r} came before {first!r}. {misconception}")
    return "Queue and answer while MongoDB was off; commit, and only then out of the stream."


STORY = Exercise(
    id="13-1",
    asks=("happened",),
    stub="""\
happened = ...  # a list: "answer", "commit", "entry", "entry gone", "mongo on", in their order
""",
    solution="""\
happened = ["entry", "answer", "mongo on", "commit", "entry gone"]
""",
    hints=(
        "Which of the five did you see in the panel before you turned MongoDB on again?",
        "Two happen inside Redis in one step, before your click has its answer; which is one of them?",
        "An entry may leave the stream only when losing it can do no harm any more.",
    ),
    check=_check_story,
)

_WRITES = {
    "in MongoDB": Write("a", sent=0, answered=1, entry_id="1-0", queued=1, committed=50, left=52),
    "queued": Write("b", sent=100, answered=101, entry_id="2-0", queued=101),
    "not answered": Write("c", sent=190),
    "fresh": Write("d", sent=195, answered=196, entry_id="3-0", queued=196),
    "committed later": Write(
        "e", sent=120, answered=121, entry_id="4-0", queued=121, committed=300
    ),
    "answered later": Write("f", sent=210, answered=220, entry_id="5-0", queued=219),
}
_CASES: tuple[tuple[float, float, tuple[str, ...]], ...] = (
    (200, 1000, ("queued", "fresh", "committed later")),
    (200, 10, ("fresh",)),
    (200, 0, ()),
    (40, 1000, ("in MongoDB",)),
)
_WHY = {
    "in MongoDB": "It was committed by then: MongoDB has it, whatever becomes of Redis.",
    "queued": "It was answered, it is not in MongoDB, and Redis's disk may not have it.",
    "not answered": "Nobody was told OK: a write without an answer is not lost, it was never promised.",
    "fresh": "It was answered before that moment, within the time that the disk may be behind.",
    "committed later": "MongoDB has it only at 300 ms: look at the moment, not at the end of the run.",
    "answered later": "At that moment it had no answer yet: look at the moment, not at the end.",
}


def _check_lost(answer: Answer) -> str:
    lost = answer.function("lost")
    for moment, unsynced, wanted in _CASES:
        _judge_lost(lost, moment, unsynced, wanted)
    return (
        "Answered, not in MongoDB yet, and younger than what Redis's disk has: those are at risk."
    )


def _judge_lost(
    lost: Callable[..., Any], moment: float, unsynced: float, wanted: Sequence[str]
) -> None:
    case = f"a failure at {moment:.0f} ms with {unsynced:.0f} ms not on the disk"
    given = ask(lost, list(_WRITES.values()), moment, unsynced, case=case)
    if not isinstance(given, (list, tuple)):
        raise Wrong(f"For {case} your function returned `{given!r}`, not a list of writes.")
    for name, write in _WRITES.items():
        says = any(write is one for one in given)
        if says and name not in wanted and unsynced < 100 and name in _CASES[0][2]:
            raise Wrong(f"For {case} you count {write!r}, which Redis's disk has by then.")
        if says != (name in wanted):
            told = "count" if says else "leave out"
            raise Wrong(f"For {case} you {told} {write!r}. {_WHY[name]}")


LOST = Exercise(
    id="13-2",
    asks=("lost",),
    stub="""\
def lost(writes, moment, unsynced):
    return ...  # the writes that were promised by then, and that a power failure would take
""",
    solution="""\
def lost(writes, moment, unsynced):
    promised = [w for w in writes if w.answered is not None and w.answered <= moment]
    waiting = [w for w in promised if w.committed is None or w.committed > moment]
    return [w for w in waiting if (w.queued or w.answered) > moment - unsynced]
""",
    hints=(
        "Three questions for each write: was it promised by then, does MongoDB have it, does the disk have it?",
        "Each of `answered`, `committed` and `queued` is a number of milliseconds, or None.",
        "Redis's disk has what was queued up to `moment - unsynced`.",
    ),
    check=_check_lost,
)

_ARRIVED = Write("a", sent=0, answered=1, committed=51)
_SLOW = Write("b", sent=5, answered=10, committed=700)
_STUCK = Write("c", sent=99, answered=100)

# Writes, the moment, for how long MongoDB was or is behind, and the misconception.
_WINDOWS: tuple[tuple[str, list[Write], float, float, str], ...] = (
    ("no writes at all", [], 1000, 0, "Nothing was promised, so nothing is late."),
    (
        "a write that was answered at 1 ms and is in MongoDB since 51",
        [_ARRIVED],
        1000,
        50,
        "The window opens with the answer: before it nobody could know of the write.",
    ),
    (
        "the same, and one that took from 10 to 700",
        [_SLOW, _ARRIVED],
        5000,
        690,
        "That it is over does not undo it: somebody has read the old value for so long.",
    ),
    (
        "the first one, and one that was answered at 100 and is not in MongoDB yet",
        [_ARRIVED, _STUCK],
        1000,
        900,
        "What has not arrived has waited longest, and leaves no number behind. If you count only what "
        "has arrived, you see 50 ms in the middle of an outage.",
    ),
    (
        "a look back at 200 ms, when a write of 120 was on its way until 300",
        [Write("d", sent=119, answered=120, committed=300)],
        200,
        80,
        "At that moment nobody knew of 300: look at the moment, not at the end of the run.",
    ),
    (
        "a write that nobody was told OK for",
        [Write("e", sent=10)],
        1000,
        0,
        "It was never promised.",
    ),
    (
        "a write that has its answer only later",
        [Write("f", sent=150, answered=220)],
        200,
        0,
        "At that moment it had no answer yet.",
    ),
    (
        "write-through, where MongoDB has it before the answer",
        [Write("g", sent=0, answered=41, committed=40)],
        1000,
        0,
        "MongoDB was never behind, and never ahead of time either.",
    ),
)


def _check_window(answer: Answer) -> str:
    window = answer.function("window")
    for case, writes, now, wanted, why in _WINDOWS:
        given = ask(window, list(writes), now, case=case)
        if isinstance(given, bool) or not isinstance(given, (int, float)):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a number.")
        if abs(given - wanted) > 1e-6:
            raise Wrong(f"For {case} you say {given:g} ms, not {wanted:g}. {why}")
    return "The figure that readers of MongoDB feel, also while it still grows."


WINDOW = Exercise(
    id="13-3",
    asks=("window",),
    stub="""\
def window(writes, now): ...  # yours: the longest time, in ms, that MongoDB was or is behind
""",
    solution="""\
def window(writes, now):
    behind = [0]
    for write in writes:
        if write.answered is not None and write.answered <= now:
            arrived = now if write.committed is None else min(write.committed, now)
            behind.append(arrived - write.answered)
    return max(behind)
""",
    hints=(
        "When does a reader of MongoDB begin to see something old, and when does that end?",
        "It begins with the answer and ends with the commit; if there is no commit yet, it goes on until `now`.",
        "For each write that was answered by `now`: `min(committed, now) - answered`, with `now` in the "
        "place of a missing `committed`. Then the greatest, and at least 0.",
    ),
    check=_check_window,
)

EXERCISES = (STORY, LOST, WINDOW)

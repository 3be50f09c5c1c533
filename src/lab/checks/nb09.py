"""Notebook 09: break it properly."""

from __future__ import annotations

from lab.checks.exercise import Answer, Exercise, Wrong, ask

_NOTHING, _WAIT, _REPLAY, _RECONCILE = "nothing", "wait", "mend and replay", "reconcile"

# (waiting, buried, differ), what to do, and the misconception behind anything else.
_CASES = (
    ((0, 0, False), _NOTHING, "The stores agree and nothing is on its way."),
    ((1, 0, False), _NOTHING, "An entry that is delivered again waits, too, and changes nothing."),
    ((0, 1, False), _NOTHING, "A later write of the same movie has arrived since it was buried."),
    ((2, 0, True), _WAIT, "A difference that still waits in the stream is lag, not a fault."),
    ((1, 3, True), _WAIT, "A newer write is on its way. Nobody knows yet whether it is refused."),
    ((0, 1, True), _REPLAY, "Nothing is on its way. What does a dead letter say about MongoDB?"),
    ((0, 0, True), _RECONCILE, "Nothing waits, nothing was refused: what would ever mend it?"),
)


def _check_remedy(answer: Answer) -> str:
    remedy = answer["remedy"]
    if not callable(remedy):
        raise Wrong(f"`remedy` is a {type(remedy).__name__}, not a function.")
    for facts, wanted, why in _CASES:
        case = "waiting={}, buried={}, differ={}".format(*facts)
        given = ask(remedy, *facts, case=case)
        if given is None or given is ...:
            raise Wrong(f"For {case} your function returned `{given!r}`, not one of the words.")
        if given not in (_NOTHING, _WAIT, _REPLAY, _RECONCILE):
            raise Wrong(f"For {case} your function returned {given!r}, which is none of the four.")
        if given != wanted:
            raise Wrong(f"For {case} your function returned {given!r}. {why}")
    return f"Right in all {len(_CASES)} cases: only what nothing will mend needs you."


REMEDY = Exercise(
    id="09-1",
    asks=("remedy",),
    stub="""\
def remedy(waiting, buried, differ):
    return ...  # "nothing", "wait", "mend and replay" or "reconcile"
""",
    solution="""\
def remedy(waiting, buried, differ):
    if not differ:
        return "nothing"
    if waiting:
        return "wait"
    if buried:
        return "mend and replay"
    return "reconcile"
""",
    hints=(
        "Which of the three facts says whether there is anything to mend at all?",
        "Of a movie that differs: ask first whether something is on its way that may mend it.",
        "In this order: not `differ`, then `waiting`, then `buried`. What is left is drift.",
    ),
    check=_check_remedy,
)

EXERCISES = (REMEDY,)

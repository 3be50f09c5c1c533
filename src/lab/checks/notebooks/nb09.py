"""Notebook 09: break it properly."""

from __future__ import annotations

from collections.abc import Iterable

from lab.checks.exercise import Answer, Exercise, Wrong, ask, ask_for_one

_REMEDIES = _NOTHING, _WAIT, _REPLAY, _RECONCILE = "nothing", "wait", "mend and replay", "reconcile"

# (waiting, buried, differ), what to do, and the misconception behind anything else.
_CASES = (
    ((0, 0, False), _NOTHING, "The stores agree and nothing is on its way."),
    ((1, 0, False), _NOTHING, "An entry that is delivered again waits, too, and changes nothing."),
    ((0, 1, False), _NOTHING, "A later write of the same movie has arrived since it was buried."),
    ((2, 0, True), _WAIT, "A difference that still waits in the stream is lag, not a fault."),
    ((1, 3, True), _WAIT, "A newer write is on its way. Nobody knows yet whether it is refused."),
    ((0, 1, True), _REPLAY, "Nothing is on its way. What does a dead letter say about MongoDB?"),
    ((0, 0, True), _RECONCILE, "Nothing waits, nothing was refused: what would ever repair it?"),
)


def _check_remedy(answer: Answer) -> str:
    remedy = answer.function("remedy")
    for facts, wanted, why in _CASES:
        case = "waiting={}, buried={}, differ={}".format(*facts)
        given = ask_for_one(remedy, *facts, case=case, of=_REMEDIES)
        if given != wanted:
            raise Wrong(f"For {case} your function returned {given!r}. {why}")
    return f"Right in all {len(_CASES)} cases: only what nothing else will repair needs you."


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
        "Which of the three facts says whether there is anything to repair at all?",
        "When a movie differs, ask first whether something on its way may repair it.",
        "In this order: not `differ`, then `waiting`, then `buried`. What is left is drift.",
    ),
    check=_check_remedy,
)


_History = list[tuple[str, int, str]]
_OK, _ERROR = "OK", "error"

# What the viewers saw, what MongoDB holds in the end, who is wrong, and the misconception.
_HISTORIES: tuple[tuple[str, _History, dict[str, int], set[str], str], ...] = (
    ("nothing written", [], {}, set(), "Then nothing can be wrong."),
    (
        "two writes, both there",
        [("ann", 1, _OK), ("bob", 2, _OK)],
        {"ann": 1, "bob": 2},
        set(),
        "Both are as they were promised.",
    ),
    (
        "an acknowledged write that is missing",
        [("ann", 1, _OK), ("bob", 2, _OK)],
        {"bob": 2},
        {"ann"},
        "OK was a promise.",
    ),
    (
        "two acknowledged writes, and MongoDB has the first",
        [("ann", 1, _OK), ("ann", 2, _OK)],
        {"ann": 1},
        {"ann"},
        "There is a document, but it is stale: the later promise counts.",
    ),
    (
        "a write that failed and is missing",
        [("ann", 1, _ERROR)],
        {},
        set(),
        "Nobody was promised anything.",
    ),
    (
        "a write that failed and is there",
        [("ann", 1, _ERROR)],
        {"ann": 1},
        set(),
        "An error does not say that nothing happened: the reply may have been lost, not the write.",
    ),
    (
        "an acknowledged write, then one that failed, and the second is there",
        [("ann", 1, _OK), ("ann", 2, _ERROR)],
        {"ann": 2},
        set(),
        "The failed one may have happened.",
    ),
    (
        "an acknowledged write, then one that failed, and the first is there",
        [("ann", 1, _OK), ("ann", 2, _ERROR)],
        {"ann": 1},
        set(),
        "The failed one need not have happened.",
    ),
    (
        "a write that failed, then one acknowledged, and the failed one is there",
        [("ann", 1, _ERROR), ("ann", 2, _OK)],
        {"ann": 1},
        {"ann"},
        "What failed *before* the last OK must not win over it.",
    ),
    (
        "a value that nobody wrote",
        [("ann", 1, _OK)],
        {"ann": 7},
        {"ann"},
        "Not missing, and still wrong.",
    ),
    (
        "a document of somebody who wrote nothing",
        [("ann", 1, _OK)],
        {"ann": 1, "eve": 3},
        {"eve"},
        "What nobody wrote must not be there.",
    ),
)


def _check_judge(answer: Answer) -> str:
    judge = answer.function("judge")
    for case, history, found, wanted, why in _HISTORIES:
        given = ask(judge, list(history), dict(found), case=case)
        if given is None or isinstance(given, str) or not isinstance(given, Iterable):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of names.")
        names = ask(list, given, case=case)
        if strange := [one for one in names if not isinstance(one, str)]:
            raise Wrong(f"For {case} your list holds `{strange[0]!r}`, which is no viewer's name.")
        said = set(names)
        if missed := wanted - said:
            raise Wrong(f"{case.capitalize()}: your judge sees nothing wrong with {missed}. {why}")
        if accused := said - wanted:
            raise Wrong(f"{case.capitalize()}: your judge accuses {accused} wrongly. {why}")
    return (
        f"Right in all {len(_HISTORIES)} cases: this is how the recipes of this course are judged."
    )


JUDGE = Exercise(
    id="09-2",
    asks=("judge",),
    stub="""\
def judge(history, found): ...  # yours: a list of those whose pause is wrong
""",
    solution="""\
def judge(history, found):
    allowed = {}
    for viewer, seconds, reply in history:
        if reply == "OK":
            allowed[viewer] = {seconds}
        else:
            allowed.setdefault(viewer, {None}).add(seconds)
    everybody = allowed.keys() | found.keys()
    return [one for one in everybody if found.get(one) not in allowed.get(one, {None})]
""",
    hints=(
        "For each viewer, what *may* be in MongoDB in the end? Sometimes that is more than one value.",
        "An OK leaves one value, its own. An error adds one to what was possible before, and takes none away.",
        "Go through the history and keep a set of allowed values for each viewer; no document at all is `None`, "
        "and is allowed until the first OK.",
    ),
    check=_check_judge,
)

EXERCISES = (REMEDY, JUDGE)

"""Notebook 10: do without Gears."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.checks.exercise import Answer, Exercise, Wrong, ask

_Entry = tuple[str, dict[str, str]]


def _entry(id: str, key: str) -> _Entry:
    return id, {"key": key, "pause": f'{{"seconds": {id.partition("-")[0]}}}'}


# Case, entries, the ids of those that stay, and the misconception behind anything else.
_CASES: tuple[tuple[str, list[_Entry], set[str], str], ...] = (
    ("no entries", [], set(), "A batch may be empty."),
    ("one entry", [_entry("5-0", "ann")], {"5-0"}, "It is the newest of its key."),
    (
        "two keys in order",
        [_entry("5-0", "ann"), _entry("6-0", "bob"), _entry("7-0", "ann")],
        {"6-0", "7-0"},
        "Each key keeps one, its newest.",
    ),
    (
        "two entries out of order",
        [_entry("7-0", "ann"), _entry("5-0", "ann")],
        {"7-0"},
        "The last in the list need not be the newest: the id decides, not the place.",
    ),
    (
        "9-0 and then 10-0, and the other way round",
        [_entry("9-0", "ann"), _entry("10-0", "ann"), _entry("10-0", "bob"), _entry("9-0", "bob")],
        {"10-0"},
        "As text, 9 is greater than 10. `version` makes ids that compare as text.",
    ),
    (
        "two entries of one millisecond",
        [_entry("5-10", "ann"), _entry("5-9", "ann")],
        {"5-10"},
        "The counter behind the dash is a part of the id, and a number too.",
    ),
)


def _check_newest(answer: Answer) -> str:
    newest = answer["newest"]
    if not callable(newest):
        raise Wrong(f"`newest` is a {type(newest).__name__}, not a function.")
    for case, entries, wanted, why in _CASES:
        given = ask(newest, list(entries), case=case)
        if given is None or given is ... or not isinstance(given, Iterable):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of pairs.")
        pairs: list[Any] = ask(list, given, case=case)
        if strange := [pair for pair in pairs if pair not in entries]:
            raise Wrong(
                f"For {case} your function returned `{strange[0]!r}`, which is no pair of the list."
            )
        keys = [entry["key"] for _, entry in pairs]
        if len(keys) != len(set(keys)):
            raise Wrong(f"For {case} a key is there twice. {_CASES[2][3]}")
        ids, every_key = {id for id, _ in pairs}, {entry["key"] for _, entry in entries}
        if set(keys) != every_key:
            raise Wrong(f"For {case} a key is missing. {_CASES[2][3]}")
        if ids != wanted:
            raise Wrong(f"For {case} the ids {sorted(ids)} stayed, not {sorted(wanted)}. {why}")
    return f"Right in all {len(_CASES)} cases: the order of arrival no longer matters."


NEWEST = Exercise(
    id="10-1",
    asks=("newest",),
    stub="""\
def newest(entries):
    return ...  # of each key only the pair (entry_id, entry) with the greatest id
""",
    solution="""\
def newest(entries):
    def number(pair):
        milliseconds, counter = pair[0].split("-")
        return int(milliseconds), int(counter)

    last = {}
    for pair in sorted(entries, key=number):
        last[pair[1]["key"]] = pair
    return list(last.values())
""",
    hints=(
        "The dictionary of the notebook is right for entries in order. Who could put them in order?",
        "Sort the pairs first. By what? Not by the text of the id.",
        '`sorted(entries, key=…)` by two whole numbers: `id.split("-")`, each through `int`.',
    ),
    check=_check_newest,
)

_LOST, _UNDONE, _BACK, _FULL = "lost", "undone", "back", "full"

_WITHOUT = {
    "the script: SET, then XADD": (
        _LOST,
        "Redis said OK to the first call. What if there is no second one?",
    ),
    "acknowledge after the write": (
        _LOST,
        "Who has the entry, when its only reader dies before it has written?",
    ),
    "the version fence": (
        _UNDONE,
        "A worker wakes up late, and writes what it had in its hands. Over what?",
    ),
    "the tombstone": (
        _BACK,
        "A late write finds no document. What does an upsert do then?",
    ),
    "MAXLEN instead of a refusal": (
        _LOST,
        "The stream stays short. What has become of its oldest entries?",
    ),
    "any bound at all": (
        _FULL,
        "Nothing is forgotten and nobody is refused. Where do the entries stay?",
    ),
}


def _check_without(answer: Answer) -> str:
    given = answer["without"]
    if not isinstance(given, dict):
        raise Wrong(f"`without` is a {type(given).__name__}, not a dictionary.")
    for case, (wanted, reason) in _WITHOUT.items():
        said = given.get(case)
        if said is None or said is ...:
            raise Wrong(f"There is no answer for {case!r} yet.")
        if said not in (_LOST, _UNDONE, _BACK, _FULL):
            raise Wrong(f"{case!r} has the answer {said!r}, which is none of the four.")
        if said != wanted:
            raise Wrong(f"Think again about {case!r}. {reason}")
    return "Each line is there for a failure that you have seen."


WITHOUT = Exercise(
    id="10-2",
    asks=("without",),
    stub="""\
without = {  # "lost", "undone", "back" or "full"
    "the script: SET, then XADD": ...,
    "acknowledge after the write": ...,
    "the version fence": ...,
    "the tombstone": ...,
    "MAXLEN instead of a refusal": ...,
    "any bound at all": ...,
}
""",
    solution="""\
without = {
    "the script: SET, then XADD": "lost",
    "acknowledge after the write": "lost",
    "the version fence": "undone",
    "the tombstone": "back",
    "MAXLEN instead of a refusal": "lost",
    "any bound at all": "full",
}
""",
    hints=(
        "Each of these was taken away from you once, in a section above. What did you see there?",
        "Two of them protect MongoDB from what comes late; the others protect what was acknowledged.",
        "Three answers are `lost`. Late over newer is `undone`, late over deleted is `back`.",
    ),
    check=_check_without,
)

EXERCISES = (NEWEST, WITHOUT)

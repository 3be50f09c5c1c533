"""What the exercises of notebook 10 say about answers that are nearly right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.checks.notebooks.nb10 import _WITHOUT, NEWEST, WITHOUT

Entries = list[tuple[str, dict[str, str]]]


def by(entries: Entries, rank: Callable[[str], Any]) -> Entries:
    last = {}
    for pair in sorted(entries, key=lambda pair: rank(pair[0])):
        last[pair[1]["key"]] = pair
    return list(last.values())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda entries: by(entries, lambda id: 0), "the id decides, not the place"),
        (lambda entries: by(entries, str), "As text, 9 is greater than 10"),
        (lambda entries: by(entries, lambda id: int(id.split("-")[0])), "The counter behind"),
        (lambda entries: entries, "a key is there twice"),
        (lambda entries: entries[-1:], "a key is missing"),
        (lambda entries: [max(entries)], "your function raised"),
        (lambda entries: {entry["key"]: entry for _, entry in entries}, "which is no pair"),
        (lambda entries: None, "`None`"),
        (lambda entries: 7, "not a list of pairs"),
        ([], "not a function"),
    ],
)
def test_a_wrong_newest_is_told_why(answer: object, told: str) -> None:
    passed, message = NEWEST.judge({"newest": answer})
    assert not passed
    assert told in message, message


@pytest.mark.parametrize("case", _WITHOUT)
@pytest.mark.parametrize("said", ["lost", "undone", "back", "full"])
def test_each_wrong_failure_gets_a_reason(case: str, said: str) -> None:
    right = {name: wanted for name, (wanted, _) in _WITHOUT.items()}
    passed, message = WITHOUT.judge({"without": {**right, case: said}})
    assert passed is (said == right[case])
    assert passed or (repr(case) in message and _WITHOUT[case][1] in message)


@pytest.mark.parametrize(
    ("without", "told"),
    [
        (["lost"], "not a dictionary"),
        ({}, "no answer for 'the script"),
        (dict.fromkeys(_WITHOUT, "late"), "it is one of"),
    ],
)
def test_an_answer_of_another_form_is_told_so(without: object, told: str) -> None:
    passed, message = WITHOUT.judge({"without": without})
    assert not passed
    assert told in message

"""What the exercise of notebook 08 says about answers that are nearly right."""

from __future__ import annotations

import pytest

from lab.checks.nb08 import BEHIND, CHOICE, THROUGH

RIGHT = {
    "pause position": BEHIND,
    "last seat sold": THROUGH,
    "view counter": BEHIND,
    "card payment": THROUGH,
    "likes while MongoDB is upgraded": BEHIND,
}


def test_the_right_answer_passes() -> None:
    assert CHOICE.judge({"choice": RIGHT})[0]


@pytest.mark.parametrize("case", RIGHT)
def test_each_wrong_choice_gets_a_reason_and_not_the_answer(case: str) -> None:
    wrong = THROUGH if RIGHT[case] == BEHIND else BEHIND
    passed, message = CHOICE.judge({"choice": {**RIGHT, case: wrong}})
    assert not passed
    assert repr(case) in message
    assert RIGHT[case] not in message


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ([BEHIND], "not a dictionary"),
        ({}, "no answer for 'pause position'"),
        ({**RIGHT, "view counter": ...}, "no answer for 'view counter'"),
        ({**RIGHT, "view counter": "behind"}, "it is one of"),
    ],
)
def test_an_answer_of_another_form_is_told_so(choice: object, told: str) -> None:
    passed, message = CHOICE.judge({"choice": choice})
    assert not passed
    assert told in message

"""What the exercises of notebook 08 say about answers that are nearly right."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from lab.checks import check
from lab.checks.notebooks.nb08 import BEHIND, CHOICE, THROUGH
from lab.stack.gears import registrations
from lab.stack.model import Stack

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


def only_writing(r: Any, key: str, document: Any) -> bool:
    r.json().set(key, "$", document)
    return True


def only_told(r: Any, key: str, document: Any) -> bool:
    try:
        return only_writing(r, key, document)
    except redis.ResponseError:
        return False


def taken_back_once(r: Any, key: str, document: Any) -> bool:
    before = r.json().get(key)
    try:
        return only_writing(r, key, document)
    except redis.ResponseError:
        r.json().set(key, "$", before)
        return False


def taken_back_as_null(r: Any, key: str, document: Any) -> bool:
    try:
        return taken_back_once(r, key, document)
    except redis.ResponseError:
        return False


def never_written(r: Any, key: str, document: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("save", "told"),
    [
        (7, "not a function"),
        (lambda r, key, document: None, "returned `None`, not `True`"),
        (never_written, "returned `False`, not `True`"),
        (lambda r, key, document: True, "Redis has None, not the new value"),
        (only_writing, "catch the error, and take the value back"),
        (only_told, "does not say that nothing has happened"),
        (taken_back_once, "Taking it back is a write, too"),
        (taken_back_as_null, "There was no such key before"),
        (lambda r, key, document: document["no such field"], "raised `KeyError"),
    ],
)
def test_a_save_that_leaves_the_stores_different_is_told_how(
    stack: Stack, save: object, told: str
) -> None:
    before = registrations(stack.redis)
    verdict = check("08-2", save)
    assert not verdict
    assert told in verdict.message
    assert registrations(stack.redis) == before
    assert not list(stack.redis.scan_iter("check-08*"))

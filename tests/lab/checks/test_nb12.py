"""What the exercises of notebook 12 say about answers that are nearly right."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest

from lab.checks.nb12 import _CASES, KEY, REMEDY

RIGHT = {case: tool for case, (tool, _) in _CASES.items()}
Named = Callable[[str, int], object]


def number(identity: str, count: int) -> int:
    return zlib.crc32(identity.encode()) % count


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (lambda i, n: f"Movie:{i}", "has no braces"),
        (lambda i, n: f"Movie:{{p{number(i, n)}}}:{i}", "the tags are p00 to p07"),
        (lambda i, n: f"Movie:{{p00}}:{i}", "use 1 of 8 partitions"),
        (lambda i, n: f"{{p{number(i, n):02d}}}:{i}", "does not begin with `Movie:`"),
        (lambda i, n: f"Movie:{{p{number(i, n):02d}}}", "Two movies got one key"),
        (lambda i, n: f"Movie:{{{i}}}", "its braces hold the movie"),
        (lambda i, n: ..., "not a key"),
        (lambda i, n: 7, "returned a int"),
        (7, "not a function"),
    ],
)
def test_a_wrong_key_is_told_why(named: Named, told: str) -> None:
    passed, message = KEY.judge({"key_for": named})
    assert not passed
    assert told in message


@pytest.mark.parametrize("case", RIGHT)
def test_each_wrong_remedy_gets_a_reason(case: str) -> None:
    wrong = next(tool for tool in RIGHT.values() if tool != RIGHT[case])
    passed, message = REMEDY.judge({"remedy": {**RIGHT, case: wrong}})
    assert not passed
    assert _CASES[case][1] in message


def test_the_right_answers_pass() -> None:
    assert REMEDY.judge({"remedy": RIGHT})[0]
    assert KEY.judge({"key_for": lambda i, n: f"Movie:{{p{number(i, n):02d}}}:{i}"})[0]

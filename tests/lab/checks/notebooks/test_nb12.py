"""What the exercises of notebook 12 say about answers that are nearly right."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest

from lab.checks.notebooks.nb12 import _CASES, KEY, PAGE, REMEDY

RIGHT = {case: tool for case, (tool, _) in _CASES.items()}
Named = Callable[[str, int], object]
Asked = Callable[[str, int, int], list[tuple[float, str]]]


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
        (lambda i, n: f"Movie:{{p{hash(i) % n:02d}}}:{i}", "so a web server"),
        (lambda i, n: f"Movie:{{p{number(i, 8):02d}}}:{i}", "use `count`"),
        (lambda i, n: ..., "still returns `...`"),
        (lambda i, n: None, "not a key"),
        (lambda i, n: 7, "of type int"),
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


def share_of_each(ask: Asked, masters: list[str], first: int, count: int) -> list[object]:
    found = [movie for one in masters for movie in ask(one, 0, count // len(masters) + 1)]
    return sorted(found, reverse=True)[:count]


def same_offset(ask: Asked, masters: list[str], first: int, count: int) -> list[object]:
    found = [movie for master in masters for movie in ask(master, first, count)]
    return sorted(found, reverse=True)[:count]


def everything(ask: Asked, masters: list[str], first: int, count: int) -> list[object]:
    found = [movie for master in masters for movie in ask(master, 0, 1_000_000)]
    return sorted(found, reverse=True)[first : first + count]


def one_after_the_other(ask: Asked, masters: list[str], first: int, count: int) -> list[object]:
    found = [movie for master in masters for movie in ask(master, 0, first + count)]
    return found[first : first + count]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (7, "not a function"),
        (lambda ask, masters, first, count: None, "not a list of movies"),
        (lambda ask, masters, first, count: [], "They are not spread evenly"),
        (share_of_each, "They are not spread evenly"),
        (one_after_the_other, "They are not spread evenly"),
        (same_offset, "ask each from 0 on"),
        (everything, "which can be on this page at all"),
    ],
)
def test_a_page_that_is_merged_wrongly_is_told_why(page: object, told: str) -> None:
    passed, message = PAGE.judge({"page": page})
    assert not passed
    assert told in message

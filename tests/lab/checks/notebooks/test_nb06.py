"""What the exercise of notebook 06 says about answers that are nearly right."""

from __future__ import annotations

import json

import pytest

from lab.checks.notebooks.nb06 import STOPPERS, survives
from lab.course.movies import load_movies


def titles_where(wrong) -> list[str]:
    return [movie["title"] for movie in load_movies() if wrong(movie)]


@pytest.mark.parametrize(
    ("stoppers", "told"),
    [
        ("Schindler's List", "not a list of titles"),
        ([{"title": "Schindler's List"}], "not a list of titles"),
        ([], "titles are missing"),
        (["Heat", "Schindler's List"], "would pass"),
        (titles_where(lambda movie: "'" in movie["title"]), "Look at all of its fields"),
    ],
)
def test_a_wrong_answer_is_told_why(stoppers: object, told: str) -> None:
    passed, message = STOPPERS.judge({"stoppers": stoppers})
    assert not passed
    assert told in message


def test_an_apostrophe_stops_the_stream_wherever_it_stands() -> None:
    assert survives({"title": "Alien", "plot": "In space"})
    assert not survives({"title": "Alien", "plot": "It's in space"})
    assert not survives({"title": "Schindler's List"})


def test_the_answer_does_not_depend_on_how_letters_are_escaped() -> None:
    """Redis returns "é" as it is, `json.dumps` escapes it."""
    for movie in load_movies():
        text = json.dumps(movie, ensure_ascii=False, separators=(",", ":")).replace("'", '"')
        try:
            json.loads(text)
        except ValueError:
            assert not survives(movie)
        else:
            assert survives(movie)

"""Notebook 06: register the write-behind recipe."""

from __future__ import annotations

import json
from typing import Any

from lab.checks.exercise import Answer, Exercise, Wrong
from lab.course.movies import load_movies


def survives(movie: dict[str, Any]) -> bool:
    """Tell whether a movie's JSON is still JSON once every apostrophe is a double quote."""
    try:
        json.loads(json.dumps(movie).replace("'", '"'))
    except ValueError:
        return False
    return True


def _check_stoppers(answer: Answer) -> str:
    given = answer["stoppers"]
    if not isinstance(given, list) or not all(isinstance(title, str) for title in given):
        raise Wrong("`stoppers` is not a list of titles.")
    movies = load_movies()
    wanted = {movie["title"] for movie in movies if not survives(movie)}
    if extra := sorted(set(given) - wanted):
        raise Wrong(f"{extra[0]!r} would pass: its JSON can be read after the replacement.")
    if missing := sorted(wanted - set(given)):
        found = next(movie for movie in movies if movie["title"] == missing[0])
        fields = [name for name, value in found.items() if "'" in str(value)]
        raise Wrong(
            f"{len(missing)} titles are missing, for example {missing[0]!r}. "
            f"Look at all of its fields: there is an apostrophe in `{fields[-1]}`."
        )
    share = len(wanted) / len(movies)
    return f"{len(wanted)} of {len(movies)} movies ({share:.0%}) would stop the stream."


STOPPERS = Exercise(
    id="06-1",
    asks=("stoppers",),
    stub="""\
stoppers = ...  # titles of the movies that would stop the naive connector
""",
    solution="""\
import json


def stops(movie):
    try:
        json.loads(json.dumps(movie).replace("'", '"'))
    except ValueError:
        return True
    return False


stoppers = [movie["title"] for movie in lab.load_movies() if stops(movie)]
""",
    hints=(
        "Do to each movie of `lab.load_movies()` what the naive connector does to it.",
        "`json.dumps(movie)` is its JSON. Replace the apostrophes in all of it, then parse it.",
        "`json.loads` raises ValueError for what is no JSON any more: those are the titles.",
    ),
    check=_check_stoppers,
)

EXERCISES = (STOPPERS,)

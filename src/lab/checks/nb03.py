"""Notebook 03: load the movies."""

from __future__ import annotations

from lab.checks.exercise import Answer, Exercise, Wrong
from lab.names import COLLECTION


def _check_best(answer: Answer) -> str:
    given = answer["best"]
    if not isinstance(given, list):
        raise Wrong(f"`best` is a {type(given).__name__}, not a list: a cursor runs only once.")
    if given and isinstance(given[0], dict):
        raise Wrong("`best` holds whole documents; asked for are the titles alone.")
    movies = answer.stack.db[COLLECTION].find({"imdbRating": {"$gte": 8.5}}).sort("imdbRating", -1)
    rating = {movie["title"]: movie["imdbRating"] for movie in movies}
    if missing := sorted(set(rating) - set(given)):
        raise Wrong(f"{len(missing)} titles are missing, for example {missing[0]!r}.")
    if extra := [title for title in given if title not in rating]:
        raise Wrong(f"{extra[0]!r} has no rating of 8.5 or more.")
    ratings = [rating[title] for title in given]
    if ratings != sorted(ratings, reverse=True):
        raise Wrong("The titles are the right ones, but the best rated is not the first.")
    return f"All {len(given)} titles, the best rated first."


BEST = Exercise(
    id="03-1",
    asks=("best",),
    stub="""\
best = ...  # titles of the movies rated 8.5 or more, the best rated first
""",
    solution="""\
found = stack.db.movies.find({"imdbRating": {"$gte": 8.5}}).sort("imdbRating", -1)
best = [movie["title"] for movie in found]
""",
    hints=(
        "PyMongo's `find` takes a filter, and its result can be sorted.",
        'The filter for "at least" is `{"field": {"$gte": number}}`.',
        'Sort with `.sort("imdbRating", -1)`, then take `movie["title"]` of each movie.',
    ),
    check=_check_best,
)

EXERCISES = (BEST,)

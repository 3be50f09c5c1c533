"""Notebook 03: load the movies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from redis import Redis, ResponseError
from redis.commands.search.query import Query

from lab.checks import needs
from lab.checks.exercise import Answer, Exercise, Wrong, ask
from lab.names import COLLECTION, KEY_PREFIX, SEARCH_INDEX


def _check_best(answer: Answer) -> str:
    given = answer["best"]
    if not isinstance(given, (list, tuple)):
        raise Wrong(
            f"`best` is of type {type(given).__name__}, not a list: a cursor runs only once."
        )
    if given and isinstance(given[0], dict):
        raise Wrong("`best` holds whole documents; the exercise asks for the titles alone.")
    if strange := [title for title in given if not isinstance(title, str)]:
        raise Wrong(f"`best` holds `{strange[0]!r}`, which is no title.")
    movies = list(answer.stack.db[COLLECTION].find({"imdbRating": {"$gte": 8.5}}))
    if not movies:
        raise Wrong(
            "MongoDB holds no movie of 8.5 or more. Run this notebook's cells that load them."
        )
    wanted = Counter(str(movie.get("title")) for movie in movies)
    found = Counter(given)
    if missing := list((wanted - found).elements()):
        raise Wrong(
            f"Some titles are missing: {len(missing)}, for example {missing[0]!r}. (MongoDB is asked now: if it has "
            "changed since, run your cell again.)"
        )
    if extra := list((found - wanted).elements()):
        raise Wrong(f"{extra[0]!r} has no rating of 8.5 or more{_or_is_once(extra[0], wanted)}.")
    if not _best_first(given, movies):
        raise Wrong("The titles are the right ones, but the best rated is not the first.")
    return f"All {len(given)} titles, the best rated first."


def _or_is_once(title: str, wanted: Counter[str]) -> str:
    return f", or is in MongoDB {wanted[title]} time(s) only" if wanted[title] else ""


def _best_first(titles: Sequence[str], movies: list[dict[str, Any]]) -> bool:
    """Tell whether the titles can be in the order of their ratings, though several may have one title."""
    best = sorted((movie["imdbRating"] for movie in movies), reverse=True)
    rated = Counter((str(movie.get("title")), movie["imdbRating"]) for movie in movies)
    return Counter(zip(titles, best, strict=True)) == rated


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
    needs=needs.movies_in_mongo,
)


def _check_query(answer: Answer) -> str:
    given = answer.text("query", "a query")
    if not given.strip():
        raise Wrong("`query` is empty: a query names fields, as in `@title:alien`.")
    named = re.findall(r"@(\w+)\s*:", given)
    known = needs.fields(answer.stack)
    if unknown := [name for name in named if name not in known]:
        raise Wrong(
            f"The index has no field `{unknown[0]}`, so that part finds nothing. Its fields: "
            f"{', '.join(known)}."
        )
    asked = Query(given).no_content().paging(0, 1000)
    try:
        reply: Any = answer.stack.redis.ft(SEARCH_INDEX).search(asked)
    except ResponseError as error:
        raise Wrong(f"Redis does not understand the query: {error}") from None
    found = {document.id for document in reply.docs}
    _judge_found(found, _movies_in(answer.stack.redis))
    return f"{len(found)} movies, and Redis looked at no others."


def _movies_in(client: Redis) -> dict[str, dict[str, Any]]:
    """The movies as Redis has them now, by key: somebody may have changed one since they were loaded."""
    keys = sorted(client.scan_iter(f"{KEY_PREFIX}*", count=1000, _type="ReJSON-RL"))
    found: Any = client.json().mget(keys, "$") if keys else []
    return {key: said[0] for key, said in zip(keys, found, strict=True) if said}


def _judge_found(found: set[str], movies: dict[str, dict[str, Any]]) -> None:
    for key in sorted(found & movies.keys()):
        title, genres, year, rating = _facts(movies[key])
        if "Animation" not in genres:
            raise Wrong(f"{title!r} is found, but is no animation: {genres}.")
        if not 1980 <= year <= 1999:
            raise Wrong(f"{title!r} is found, but is of {year}.")
        if rating < 8:
            raise Wrong(f"{title!r} is found, but is rated {rating}.")
    wanted = {key for key, movie in movies.items() if _is_wanted(*_facts(movie))}
    if not wanted:
        raise Wrong("Redis holds no such movie. Run this notebook's cells that load them.")
    if missing := sorted(wanted - found):
        raise Wrong(_missing_movies([movies[key] for key in missing], len(wanted)))


def _facts(movie: dict[str, Any]) -> tuple[str, list[str], int, float]:
    """Title, genres, year and rating of a document, which may lack any of them."""
    return (
        movie.get("title", "a movie without a title"),
        movie.get("genres") or [],
        movie.get("year") or 0,
        movie.get("imdbRating") or 0,
    )


def _is_wanted(title: str, genres: list[str], year: int, rating: float) -> bool:
    return "Animation" in genres and 1980 <= year <= 1999 and rating >= 8


def _missing_movies(missing: list[dict[str, Any]], wanted: int) -> str:
    """Say which movies a query does not find; an end of a range is named only where it is that."""
    if len(missing) == wanted:
        return "The query finds none of them. Try its parts one by one: which one finds nothing?"
    example = missing[0]
    told = (
        f"{len(missing)} of {wanted} are missing, for example {example['title']!r} of "
        f"{example['year']}, rated {example['imdbRating']}."
    )
    if all(movie["year"] in (1980, 1999) or movie["imdbRating"] == 8 for movie in missing):
        return f"{told} Both ends of a range count."
    return f"{told} Which part of the query leaves it out?"


QUERY = Exercise(
    id="03-2",
    asks=("query",),
    stub="""\
query = ...  # animations of 1980 to 1999, rated 8 or more, in RediSearch's own language
""",
    solution="""\
query = "@genres:{Animation} @year:[1980 1999] @imdbRating:[8 +inf]"
""",
    hints=(
        "Print `.query` of a search that Redis OM makes, and look at how its parts are joined.",
        "Tags go in braces, ranges in brackets: `@field:{tag}`, `@field:[from to]`.",
        "`@genres:{Animation} @year:[1980 1999]`, and a third range with `+inf` as its end.",
    ),
    check=_check_query,
    needs=needs.movies_in_redis,
)

# What somebody types, the title that has to be found (None: nothing is), and the misconception.
_TYPED: tuple[tuple[str, str | None, str], ...] = (
    ("alien", "Alien", "The word is in the title as it is."),
    ("Schindler's list", "Schindler's List", "The index has split the title at the apostrophe."),
    ("3:10 to Yuma", "3:10 to Yuma", "A colon ends the name of a field."),
    ("-alien", "Alien", "The `-` has reached the query, where it means *not*."),
    ("heat | alien", None, "The `|` has reached the query, where it means *or*."),
    ("@year:[1900 2100]", None, "A user has just written a query of his own, and your app ran it."),
    ("", None, "A search box is empty at first, and that is no error."),
    ("?!", None, "Without its punctuation nothing is left, and a query needs a word."),
    (
        "Schindler’s list",
        "Schindler's List",
        "A phone types this apostrophe, and the index splits words at the other one only.",
    ),
    (
        "WALL·E",
        "WALL·E",
        "RediSearch splits at ASCII's punctuation only. To the index this title is one word, dot "
        "and all, so your query must not split it either.",
    ),
    ("लगान", "लगान", "Its vowel signs are not letters to `\\w`, but they belong to the word."),
)


def _check_search(answer: Answer) -> str:
    search = answer.function("search")
    titles = {movie.get("title") for movie in _movies_in(answer.stack.redis).values()}
    if gone := [wanted for _, wanted, _ in _TYPED if wanted and wanted not in titles]:
        raise Wrong(
            f"Redis holds no movie {gone[0]!r}, which the check looks for. Run this notebook's cells that load them."
        )
    for typed, wanted, why in _TYPED:
        case = f"{typed!r}"
        try:
            given = ask(search, typed, case=case)
        except Wrong as wrong:
            raise Wrong(f"{wrong} {why}") from None
        if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) for one in given):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of titles.")
        if wanted is None and given:
            raise Wrong(f"For {case} you found {len(given)}, {given[0]!r} among them. {why}")
        if wanted and wanted not in given:
            raise Wrong(f"For {case} you did not find {wanted!r}. {why}")
        if len(given) > _MOST:
            raise Wrong(f"For {case} you found {len(given)} titles. {why}")
    return "Words go in, and nothing of the query language: whatever a user types."


_MOST = 100  # titles; more means that nearly all were found

SEARCH = Exercise(
    id="03-3",
    asks=("search",),
    stub="""\
def search(typed): ...  # yours: titles of movies that have all words which a user typed
""",
    solution="""\
import re

from redis.commands.search.query import Query


def search(typed):
    words = re.sub(r"[!-/:-@\\[-`{-~’]", " ", typed).split()  # ASCII's punctuation, and one more
    if not words:
        return []
    query = Query(" ".join(words)).return_fields("title").paging(0, 100)
    found = stack.redis.ft("MovieEntity:index").search(query)
    return [movie.title for movie in found.docs]
""",
    hints=(
        "Begin with `by_words` above, and let the check tell you what it does not survive.",
        "Take punctuation out as the index does: `string.punctuation`, and one more apostrophe. What is "
        "left when that was all?",
        "Replace each of `string.punctuation`, and `’`, by a space; return `[]` when no word "
        'is left; else search for `@title:(…)`, or with `Movie.title % "(…)"`, and take the titles.',
    ),
    check=_check_search,
    needs=needs.movies_in_redis,
)

EXERCISES = (BEST, QUERY, SEARCH)

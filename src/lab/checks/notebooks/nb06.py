"""Notebook 06: register the write-behind recipe."""

from __future__ import annotations

import json
from typing import Any

from lab.checks import needs
from lab.checks.exercise import Answer, Exercise, Wrong, ask
from lab.checks.overhearing import Requests, overheard
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
    if not isinstance(given, (list, tuple, set)):
        raise Wrong(f"`stoppers` is of type {type(given).__name__}, not a list of titles.")
    if strange := [title for title in given if not isinstance(title, str)]:
        raise Wrong(f"`stoppers` holds `{strange[0]!r}`, so it is not a list of titles.")
    movies = load_movies()
    wanted = {movie["title"] for movie in movies if not survives(movie)}
    if extra := sorted(set(given) - wanted):
        raise Wrong(f"{extra[0]!r} would pass: its JSON can be read after the replacement.")
    if missing := sorted(wanted - set(given)):
        found = next(movie for movie in movies if movie["title"] == missing[0])
        fields = [name for name, value in found.items() if "'" in str(value)]
        raise Wrong(
            f"Some titles are missing: {len(missing)}, for example {missing[0]!r}. "
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


_PUT, _GONE = "=", "~"
_Batch = list[tuple[str, str, str]]


def _put(id: str, **fields: Any) -> tuple[str, str, str]:
    return _PUT, id, json.dumps({"movieId": id, **fields})


# Batches that come one after the other, what MongoDB holds afterwards, and the misconception.
_BATCHES: tuple[tuple[str, _Batch, dict[str, dict[str, Any]], str], ...] = (
    ("an empty batch", [], {}, "There may be nothing to do."),
    (
        "two new movies",
        [_put("1", title="Schindler's List"), _put("2", title="Heat", year=1995)],
        {"1": {"title": "Schindler's List"}, "2": {"title": "Heat", "year": 1995}},
        "Parse the text as it is; the id stays a string.",
    ),
    (
        "the same batch once more",
        [_put("1", title="Schindler's List"), _put("2", title="Heat", year=1995)],
        {"1": {"title": "Schindler's List"}, "2": {"title": "Heat", "year": 1995}},
        "A batch may be delivered again: put the document there, do not add another one.",
    ),
    (
        "a movie that has lost its year",
        [_put("2", title="Heat")],
        {"1": {"title": "Schindler's List"}, "2": {"title": "Heat"}},
        "The entry says how the document is: what it does not hold has to go.",
    ),
    (
        "a movie deleted, and one deleted that was never there",
        [(_GONE, "1", ""), (_GONE, "9", "")],
        {"2": {"title": "Heat"}},
        "`~` deletes, and to delete nothing is no error.",
    ),
    (
        "one movie put, deleted and put again, another put and deleted",
        [_put("3", n=1), (_GONE, "3", ""), _put("3", n=2), _put("4", n=1), (_GONE, "4", "")],
        {"2": {"title": "Heat"}, "3": {"n": 2}},
        "Inside a batch the order counts.",
    ),
)


def _check_carry(answer: Answer) -> str:
    carry = answer.function("carry")
    with overheard(answer, "check_06") as (collection, requests):
        for case, batch, wanted, why in _BATCHES:
            ask(carry, list(batch), collection, case=case)
            _judge_documents(list(collection.find({}, {"_id": False})), case, wanted, why)
        _judge_requests(carry, collection, requests)
    return "The same state however often a batch comes, in one request: the recipe's other half."


def _judge_documents(
    found: list[dict[str, Any]], case: str, wanted: dict[str, dict[str, Any]], why: str
) -> None:
    ids = [document.get("movieId") for document in found]
    if not all(isinstance(id, str) for id in ids):
        raise Wrong(f"After {case} a document has no `movieId`, or one that is no string. {why}")
    if len(ids) != len(set(ids)):
        raise Wrong(f"After {case} a movie is there twice. {why}")
    here = {doc["movieId"]: {k: v for k, v in doc.items() if k != "movieId"} for doc in found}
    if here != wanted:
        raise Wrong(f"After {case} the collection holds {here}, not {wanted}. {why}")


def _judge_requests(carry: Any, collection: Any, requests: Requests) -> None:
    requests.requests = 0
    ask(carry, [_put(str(n), n=n) for n in range(100)], collection, case="a batch of 100 movies")
    if requests.requests > 2:
        raise Wrong(
            f"A batch of 100 movies took {requests.requests} requests, and each waits for MongoDB's disk. "
            "That is the app of notebook 01 again: what sends many operations at once?"
        )


CARRY = Exercise(
    id="06-2",
    asks=("carry",),
    stub="""\
def carry(entries, collection): ...  # yours: bring one batch to MongoDB
""",
    solution="""\
import json

from pymongo import DeleteOne, ReplaceOne


def carry(entries, collection):
    operations = []
    for what, movie_id, text in entries:
        this = {"movieId": movie_id}
        if what == "~":
            operations.append(DeleteOne(this))
        else:
            operations.append(ReplaceOne(this, json.loads(text), upsert=True))
    if operations:
        collection.bulk_write(operations)
""",
    hints=(
        "Begin with one entry at a time, until the state is right. Then send all of a batch together.",
        "Of PyMongo's operations, which one puts a whole document in the place of the old one, or of none?",
        "`ReplaceOne({…}, json.loads(text), upsert=True)` and `DeleteOne({…})` in a list, for `bulk_write`, "
        "which wants at least one.",
    ),
    check=_check_carry,
    needs=needs.mongo,
)

EXERCISES = (STOPPERS, CARRY)

"""`lab.prepare`: bring both stores to a known state, whatever an earlier notebook left there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo import ASCENDING
from redis import ResponseError
from redis.commands.search.field import NumericField, TagField, TextField
from redis.commands.search.index_definition import IndexDefinition, IndexType

from lab import paths
from lab.course.movies import load_movies
from lab.errors import LabError
from lab.names import COLLECTION, DATABASE, KEY_PREFIX, SEARCH_INDEX, movie_key
from lab.report import progress
from lab.stack.gears import run_script, unregister_all
from lab.stack.lifecycle import current, reset
from lab.stack.model import Stack

RECIPE_REQUIREMENTS = ("rgsync==1.2.0", "pymongo==3.12.0")


def prepare(*states: str) -> None:
    """Bring the stack to the named states, always in this order, whatever was there before.

    - "empty": nothing in either store, nothing registered
    - "gears-empty": nothing registered, and no stream left of what was
    - "movies": exactly the movies of `data/movies.jsonl`, in MongoDB (unique index on `movieId`)
      and in Redis (JSON, with a search index)
    - "write-behind", "write-through": that recipe is registered, and no other

    Whatever was registered before is unregistered first. Idempotent. Raises LabError for a state that it does not know.
    """
    unknown = set(states) - set(_STATES)
    if unknown:
        raise LabError(f"No such state: {', '.join(sorted(unknown))}. Known: {', '.join(_STATES)}.")
    if {"write-behind", "write-through"} <= set(states):
        raise LabError("Choose one of write-behind and write-through: both write the same keys.")
    stack = current()
    _memory(stack)
    # Loading movies through a registered recipe would write every movie twice.
    wanted = {"gears-empty", *states} if states else set()
    for name, bring in _STATES.items():
        if name in wanted:
            with progress(f"Preparing {name}"):
                bring(stack)


def run_gears(
    code: str | Path, requirements: Sequence[str] = (), config: Mapping[str, str] | None = None
) -> Any:
    """Run a script, or the file of one, through `RG.PYEXECUTE`, and return its reply.

    For setting up: notebooks that teach Gears call redis-py, redis-cli or gears-cli themselves.
    `config` is set with `RG.CONFIGSET` first. Raises LabError with the script's own error.
    """
    return run_script(current(), code, requirements, config)


def _memory(stack: Stack) -> None:
    """Take back a bound of Redis's memory that an experiment has set, or nothing could be loaded."""
    if stack.kind != "external":
        stack.redis.config_set("maxmemory", 0)
        stack.redis.config_set("maxmemory-policy", "noeviction")


def _empty(stack: Stack) -> None:
    reset()


def _gears_empty(stack: Stack) -> None:
    """Unregister everything; drop the streams that nobody would ever read again."""
    unregister_all(stack)
    orphans = list(stack.redis.scan_iter(match="_*-stream-*", count=1000, _type="stream"))
    if orphans:
        stack.redis.delete(*orphans)


def _movies(stack: Stack) -> None:
    movies = load_movies()
    _movies_in_mongo(stack, movies)
    _search_index(stack)
    _movies_in_redis(stack, movies)


def _movies_in_mongo(stack: Stack, movies: list[dict[str, Any]]) -> None:
    stack.db.drop_collection(COLLECTION)  # with whatever indexes an earlier notebook tried out
    collection = stack.db[COLLECTION]
    collection.create_index([("movieId", ASCENDING)], unique=True)
    collection.insert_many([dict(movie) for movie in movies])


def _movies_in_redis(stack: Stack, movies: list[dict[str, Any]]) -> None:
    wanted = {movie_key(movie["movieId"]) for movie in movies}
    strangers = [
        key
        for key in stack.redis.scan_iter(match=KEY_PREFIX + "*", count=1000)
        if key not in wanted  # Redis OM's note of the index that it made, too: that one is gone
    ]
    pipeline = stack.redis.pipeline(transaction=False)
    if strangers:
        pipeline.delete(*strangers)
    for movie in movies:
        # Not JSON.SET over the old value: the key may be of another type on a dirty store.
        pipeline.delete(movie_key(movie["movieId"]))
        pipeline.json().set(movie_key(movie["movieId"]), "$", movie)
    pipeline.execute()


def _search_index(stack: Stack) -> None:
    """Make the index before the movies are written: then each write is indexed at once."""
    index = stack.redis.ft(SEARCH_INDEX)
    with contextlib.suppress(ResponseError):  # there is none, or a learner's own, other one
        index.dropindex()
    fields = (
        TextField("$.title", as_name="title"),
        TextField("$.tagline", as_name="tagline"),
        TextField("$.plot", as_name="plot"),
        NumericField("$.year", as_name="year", sortable=True),
        NumericField("$.duration", as_name="duration"),
        NumericField("$.imdbRating", as_name="imdbRating", sortable=True),
        TagField("$.genres[*]", as_name="genres"),
        TagField("$.countries[*]", as_name="countries"),
        TagField("$.languages[*]", as_name="languages"),
    )
    index.create_index(
        fields, definition=IndexDefinition(prefix=[KEY_PREFIX], index_type=IndexType.JSON)
    )


def _recipe(file: str) -> Callable[[Stack], None]:
    def register(stack: Stack) -> None:
        config = {"mongoUrl": stack.recipe_mongo_url, "mongoDatabase": DATABASE}
        run_script(stack, recipes() / file, RECIPE_REQUIREMENTS, config)

    return register


def recipes() -> Path:
    """Return the folder of the scripts for `RG.PYEXECUTE`."""
    return paths.root() / "recipes" / "gears"


_STATES: dict[str, Callable[[Stack], None]] = {
    "empty": _empty,
    "gears-empty": _gears_empty,
    "movies": _movies,
    "write-behind": _recipe("movies_write_behind.py"),
    "write-through": _recipe("movies_write_through.py"),
}

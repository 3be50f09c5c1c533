"""The recipe of this course and its control, rgsync 1.2.0 as shipped; how tests drive and watch them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lab
from lab.cells.prepare import RECIPE_REQUIREMENTS, recipes
from lab.stack.gears import registrations, run_script
from lab.stack.model import Stack

URL_NAME = "mongoUrl"
STREAM = "_movies-stream-{06S}"
DEAD_LETTERS = "_movies-stream-dead-letters-{06S}"

OURS = (recipes() / "movies_write_behind.py").read_text()
SHIPPED = """
from rgsync import RGJSONWriteBehind
from rgsync.Connectors import MongoConnection, MongoConnector

connection = MongoConnection('', '', '', conn_string=gearsConfigGet('mongoUrl'))
connector = MongoConnector(connection, 'dbSpeedMernDemo', 'movies', 'movieId')
RGJSONWriteBehind(GB, keysPrefix='MovieEntity', connector=connector, name='MoviesWriteBehind', version='99.99.99')
"""

Document = dict[str, Any]


def register(stack: Stack, recipe: str) -> None:
    """Run a recipe's script, with what a movie recipe requires."""
    run_script(stack, recipe, RECIPE_REQUIREMENTS)


def put(client: Any, movie_id: str, document: Any) -> None:
    """Write a movie as the course does."""
    client.json().set(f"MovieEntity:{movie_id}", "$", document)


def in_mongo(stack: Stack) -> list[Document]:
    """All documents without MongoDB's own id, in an order that does not depend on their fields'."""
    found = stack.db.movies.find({}, {"_id": 0, "_v": 0})
    return sorted(found, key=lambda document: repr(sorted(document.items(), key=repr)))


def in_redis(stack: Stack) -> list[Document]:
    """All movies, in the same order."""
    keys = list(stack.redis.scan_iter("MovieEntity:*", _type="ReJSON-RL", count=1000))
    found = [document for [document] in stack.redis.json().mget(keys, "$")] if keys else []
    return sorted(found, key=lambda document: repr(sorted(document.items(), key=repr)))


def dead_letters(stack: Stack) -> list[Mapping[str, str]]:
    """What the recipe gave up, oldest first."""
    return [fields for _, fields in stack.redis.xrange(DEAD_LETTERS)]


def queued(stack: Stack) -> int:
    """Entries of the recipes' streams that are not written yet. Redis is asked itself."""
    names = set(stack.redis_direct.scan_iter("_movies-stream-*", _type="stream", count=1000))
    return sum(stack.redis_direct.xlen(name) for name in names - {DEAD_LETTERS})


def part(stack: Stack, reader: str) -> dict[str, Any]:
    """The registration of a recipe that reads keys or streams."""
    [found] = [r for r in registrations(stack.redis) if r["reader"] == reader]
    return found


def failures(stack: Stack) -> int:
    """How many batches the worker failed to write."""
    return int(part(stack, "StreamReader")["RegistrationData"]["numFailures"])


def settle(stack: Stack) -> None:
    """Wait until everything is written, or the worker stands still at what it cannot write."""
    lab.wait_until(lambda: not queued(stack) or failures(stack), "the recipe is done or stuck", 60)

"""The names that the course uses in both stores, in one place."""

from __future__ import annotations

DATABASE = "dbSpeedMernDemo"
"""The MongoDB database of the tutorial."""

COLLECTION = "movies"
"""The collection that the movies live in."""

KEY_PREFIX = "MovieEntity:"
"""A movie's key in Redis is this and its `movieId`."""

SEARCH_INDEX = "MovieEntity:index"
"""The search index over the movies' JSON documents."""

SEARCH_FIELDS = (
    *("title", "tagline", "plot", "year", "duration", "imdbRating"),
    *("genres", "countries", "languages"),
)
"""The fields of that index."""


def movie_key(movie_id: str) -> str:
    """Return the Redis key of the movie with this id."""
    return KEY_PREFIX + movie_id

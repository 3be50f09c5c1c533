"""From what a user types to RediSearch's language, and the search itself.

What is typed is never query syntax: only its words get into a query (`words_of`), numbers are read
as numbers, and the values of tags travel beside the query, as its parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis, ResponseError
from redis.commands.search.field import NumericField, TagField, TextField
from redis.commands.search.index_definition import IndexDefinition, IndexType
from redis.commands.search.query import Query

MOVIE_INDEX, PAUSE_INDEX = "movieapp:movies", "movieapp:pauses"
MOVIE_PREFIX, PAUSE_PREFIX = "MovieEntity:", "PauseEntity:"
PAGE = 24
"""Cards a request brings."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WORD = re.compile(r"[^\W_]+")
_CONTINUOUS = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")  # scripts without spaces
_MOST_WORDS, _LONGEST = 12, 40
# RediSearch leaves these out of its index, so no document would have them.
_STOP_WORDS = frozenset(
    [
        "a",
        "is",
        "the",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    ]
)


@dataclass(frozen=True)
class Wish:
    """What to look for. Every part that is given has to hold."""

    text: str = ""
    title: str = ""
    genre: str = ""
    country: str = ""
    rating: float | None = None
    first_year: int | None = None
    last_year: int | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One page of what was found: ids with documents, how many there are, where the next begins."""

    movies: list[tuple[str, dict[str, Any]]]
    total: int
    next_offset: int | None
    is_close: bool = False
    """True when nothing matched, and these are spelled almost like it."""


def wish_of(typed: Mapping[str, str]) -> Wish:
    """Read the search form. A number that is none is named in `problems`, and left out."""
    problems: dict[str, str] = {}

    def number(name: str, told: str) -> float | None:
        text = typed.get(name, "").strip().replace(",", ".")
        if not text:
            return None
        if re.fullmatch(r"-?\d{1,6}(\.\d{1,6})?", text):
            return float(text)
        problems[name] = told
        return None

    first, last = number("from", "A year, such as 1960"), number("to", "A year, such as 1999")
    if first is not None and last is not None and first > last:
        problems["to"] = "Before the first year: nothing lies between"
    return Wish(
        text=typed.get("q", "").strip(),
        title=typed.get("title", "").strip(),
        genre=_CONTROL.sub("", typed.get("genre", "")).strip(),
        country=_CONTROL.sub("", typed.get("country", "")).strip(),
        rating=number("rating", "A number from 1 to 10"),
        first_year=None if first is None else int(first),
        last_year=None if last is None else int(last),
        problems=problems,
    )


def query_of(wish: Wish, *, close: bool = False) -> str:
    """Return the query; with `close`, one that also takes words that differ in one letter."""
    parts = []
    if text := _all_words(wish.text, close):
        parts.append(f"@title|tagline|plot:({text})")
    if title := _all_words(wish.title, close):
        parts.append(f"@title:({title})")
    if wish.genre:
        parts.append("@genres:{$genre}")
    if wish.country:
        parts.append("@countries:{$country}")
    if wish.rating is not None:
        parts.append(f"@imdbRating:[{wish.rating:g} +inf]")
    if wish.first_year is not None or wish.last_year is not None:
        first = "-inf" if wish.first_year is None else wish.first_year
        last = "+inf" if wish.last_year is None else wish.last_year
        parts.append(f"@year:[{first} {last}]")
    return " ".join(parts) or "*"


def words_of(text: str) -> list[str]:
    """Return the words in what somebody typed; everything else is left out."""
    return [word[:_LONGEST] for word in _WORD.findall(text)[:_MOST_WORDS]]


def _all_words(text: str, close: bool) -> str:
    words = words_of(text)
    if len(words) > 1 and len(words[-1]) == 1 and not text[-1:].isspace():
        words.pop()  # the first letter of a word: RediSearch wants two for the beginning of one
    rest = [word for word in words[:-1] if word.lower() not in _STOP_WORDS]
    return " ".join(_one_word(word, word is words[-1], close) for word in [*rest, *words[-1:]])


def _one_word(word: str, is_last: bool, close: bool) -> str:
    """Return the ways in which a word may stand in a text; the last one may still be being typed."""
    ways = [word.lower()]
    if not word.isascii():  # RediSearch ignores case in the letters a to z only
        ways += [word, word.capitalize(), word.upper()]
    ways = list(dict.fromkeys(ways))
    found = [*ways]
    if is_last and len(word) > 1:
        found += [f"{way}*" for way in ways]
    if _CONTINUOUS.search(word):
        found += [f"*{way}*" for way in ways]
    if close and len(word) > 3:
        found += [f"%{way}%" for way in ways]
    return f"({'|'.join(found)})"


class Finder:
    """Reads movies and pauses from Redis."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def find(self, wish: Wish, offset: int = 0, count: int = PAGE) -> Page:
        """Return one page. Raises redis.RedisError when Redis does not answer."""
        page = self._search(wish, offset, count)
        if page.total or not (wish.text or wish.title):
            return page
        close = self._search(wish, offset, count, close=True)
        return Page(close.movies, close.total, close.next_offset, is_close=close.total > 0)

    def movie(self, movie_id: str) -> dict[str, Any] | None:
        """Return a movie's document, or None when there is no such movie."""
        found = self._redis.json().get(MOVIE_PREFIX + movie_id)
        return found if isinstance(found, dict) else None

    def positions(self, user: str, movie_ids: list[str]) -> dict[str, int]:
        """Return where a viewer stopped each of these movies, in seconds."""
        if not movie_ids:
            return {}
        keys = [f"{PAUSE_PREFIX}{user}:{movie_id}" for movie_id in movie_ids]
        found = self._redis.json().mget(keys, "$.seconds")
        stopped = zip(movie_ids, found, strict=True)
        return {movie_id: int(seconds[0]) for movie_id, seconds in stopped if seconds}

    def last_pauses(self, user: str, count: int = 12) -> list[tuple[str, int]]:
        """Return the viewer's pauses as movie and seconds, the newest first."""
        query = Query("@user:{$user}").sort_by("at", asc=False).paging(0, count)
        found = self._documents(PAUSE_INDEX, query, {"user": user})[1]
        return [(pause["movieId"], int(pause["seconds"])) for _, pause in found]

    def values(self, name: str) -> list[str]:
        """Return the values of a tag field (`genres`, `countries`), in order."""
        found = self._redis.ft(MOVIE_INDEX).tagvals(name)
        return sorted({str(value) for value in found})

    def count(self) -> int:
        """Return how many movies the index holds."""
        return int(self._search(Wish(), 0, 0).total)

    def ensure_indexes(self) -> None:
        """Make the app's own indexes where there are none: a notebook may redefine the course's."""
        text = [TextField("$.title", as_name="title", weight=5.0)]
        text += [TextField(f"$.{name}", as_name=name) for name in ("tagline", "plot")]
        numbers = [
            NumericField(f"$.{name}", as_name=name, sortable=True)
            for name in ("year", "imdbRating")
        ]
        tags = [
            TagField(f"$.{name}[*]", as_name=name, case_sensitive=True)
            for name in ("genres", "countries")
        ]
        self._ensure(MOVIE_INDEX, MOVIE_PREFIX, [*text, *numbers, *tags])
        pause = [
            TagField("$.user", as_name="user", case_sensitive=True),
            NumericField("$.at", as_name="at", sortable=True),
        ]
        self._ensure(PAUSE_INDEX, PAUSE_PREFIX, pause)

    def _ensure(self, name: str, prefix: str, fields: list[Any]) -> None:
        index = self._redis.ft(name)
        definition = IndexDefinition(prefix=[prefix], index_type=IndexType.JSON)
        try:
            index.create_index(fields, definition=definition)
        except ResponseError as problem:
            if "exists" not in str(problem):
                raise

    def _search(self, wish: Wish, offset: int, count: int, *, close: bool = False) -> Page:
        asked = Query(query_of(wish, close=close)).paging(offset, count)
        if not (wish.text or wish.title):
            asked = asked.sort_by("imdbRating", asc=False)
        tags = {"genre": wish.genre, "country": wish.country}
        total, found = self._documents(MOVIE_INDEX, asked, tags)
        movies = [(key.removeprefix(MOVIE_PREFIX), document) for key, document in found]
        ahead = offset + count
        return Page(movies, total, ahead if count and ahead < total else None)

    def _documents(
        self, index: str, query: Query, values: Mapping[str, str]
    ) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
        asked = query.dialect(2)  # type: ignore[attr-defined]  # parameters need it
        try:
            found = self._redis.ft(index).search(asked, dict(values))
        except ResponseError as problem:
            if "no such index" not in str(problem).lower():
                raise
            self.ensure_indexes()  # somebody emptied Redis while the app ran
            found = self._redis.ft(index).search(asked, dict(values))
        return int(found.total), list(_parsed(found.docs))


def _parsed(docs: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for doc in docs:
        text = getattr(doc, "json", None)  # None for one that went between search and reading
        document = json.loads(text) if text else None
        if isinstance(document, dict):
            yield doc.id, document

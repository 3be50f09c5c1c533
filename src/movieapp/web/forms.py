"""The form of a movie: what was typed, what is wrong with it, and the document that it makes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

GENRES = [
    "Action",
    "Adventure",
    "Animation",
    "Biography",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "History",
    "Horror",
    "Music",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Sport",
    "Thriller",
    "War",
    "Western",
]
FIRST_YEAR, LAST_YEAR = 1888, 2100
LONGEST = {"title": 200, "tagline": 200, "plot": 2000, "countries": 200, "directors": 200}
MOST_GENRES = 3
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class MovieForm:
    """The fields as typed. `was` is the fingerprint of the document that the form began with."""

    movie_id: str
    was: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    genres: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Return what a field holds."""
        return self.fields.get(name, "")

    @property
    def is_new(self) -> bool:
        """True for a movie that was not there when the form was opened."""
        return not self.was


TEXTS = ("title", "tagline", "plot", "year", "duration", "countries", "directors", "imdbRating")


def form_of(movie_id: str, document: Mapping[str, Any], was: str) -> MovieForm:
    """Return the form for a document."""
    fields = {name: _shown(document.get(name)) for name in TEXTS}
    genres = tuple(str(genre) for genre in document.get("genres") or () if genre in GENRES)
    return MovieForm(movie_id, was, fields, genres)


def read(movie_id: str, was: str, typed: Mapping[str, str], genres: Iterable[str]) -> MovieForm:
    """Return the form as typed, with what is wrong with each field."""
    fields = {name: _INVISIBLE.sub(" ", typed.get(name, "")).strip() for name in TEXTS}
    chosen = tuple(genre for genre in genres if genre in GENRES)
    return MovieForm(movie_id, was, fields, chosen, _problems(fields, chosen))


def _problems(fields: Mapping[str, str], genres: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, most in LONGEST.items():
        if len(fields[name]) > most:
            found[name] = f"{len(fields[name]):,} characters are too many: at most {most:,} fit."
    if not fields["title"]:
        found["title"] = "Every movie has a title. What is this one called?"
    if not _whole(fields["year"], FIRST_YEAR, LAST_YEAR):
        found["year"] = f"A year from {FIRST_YEAR} to {LAST_YEAR}, such as 1927."
    if fields["duration"] and not _whole(fields["duration"], 1, 6000):
        found["duration"] = "Whole minutes, such as 153; or leave it empty."
    if fields["imdbRating"] and _rating(fields["imdbRating"]) is None:
        found["imdbRating"] = "A number from 1 to 10, such as 8.3; or leave it empty."
    if not genres:
        found["genres"] = "Choose at least one genre."
    elif len(genres) > MOST_GENRES:
        found["genres"] = f"{len(genres)} are chosen: at most {MOST_GENRES} fit on a card."
    return found


def document_of(form: MovieForm, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that a form without problems makes; what it does not show stays."""
    year = int(form.value("year"))
    made = {
        **before,
        "movieId": form.movie_id,
        "title": form.value("title"),
        "tagline": form.value("tagline"),
        "plot": form.value("plot"),
        "year": year,
        "duration": int(form.value("duration")) if form.value("duration") else None,
        "genres": list(form.genres),
        "countries": _names(form.value("countries")),
        "directors": _names(form.value("directors")),
        "imdbRating": _rating(form.value("imdbRating")),
    }
    if not str(made.get("released", year)).startswith(str(year)):
        del made["released"]  # a day in another year would be wrong, and nobody typed one
    return made


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name for name in map(str.strip, text.split(",")) if name))


def _whole(text: str, least: int, most: int) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,6}", text)) and least <= int(text) <= most


def _rating(text: str) -> float | None:
    text = text.replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?", text):
        return None
    return float(text) if 1 <= float(text) <= 10 else None

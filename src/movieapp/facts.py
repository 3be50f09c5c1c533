"""From a document, whoever wrote it, to what a card shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_UNNAMED = "(no title)"


@dataclass(frozen=True)
class Facts:
    """What is known of one movie. Missing or odd fields are empty, never an error."""

    movie_id: str
    title: str
    tagline: str
    plot: str
    year: int | None
    minutes: int | None
    rating: float | None
    genres: tuple[str, ...]
    countries: tuple[str, ...]
    directors: tuple[str, ...]

    @property
    def seconds(self) -> int:
        """How long it runs; two hours when nobody says."""
        return (self.minutes or 120) * 60

    @property
    def length(self) -> str:
        """How long it runs, as people say it."""
        if not self.minutes:
            return ""
        hours, minutes = divmod(self.minutes, 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"

    @property
    def line(self) -> str:
        """Year, length and country in one line."""
        known = (str(self.year or ""), self.length, ", ".join(self.countries[:2]))
        return " · ".join(filter(None, known))


def facts_of(movie_id: str, document: Mapping[str, Any]) -> Facts:
    """Read a document. Notebooks write movies with three fields, and other clients write anything."""
    return Facts(
        movie_id=movie_id,
        title=_text(document.get("title")) or _UNNAMED,
        tagline=_text(document.get("tagline")),
        plot=_text(document.get("plot")),
        year=_whole(document.get("year")),
        minutes=_whole(document.get("duration")),
        rating=_number(document.get("imdbRating")),
        genres=_names(document.get("genres")),
        countries=_names(document.get("countries")),
        directors=_names(document.get("directors")),
    )


def clock(seconds: float) -> str:
    """Return a position in a movie: 1:02:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and abs(number) < 10**6 else None


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(text for text in map(_text, value) if text)

"""Compose data/movies.jsonl from the files in data/sources/.

    python data/build.py                      write movies.jsonl and print its numbers
    python data/build.py --check              exit with 1 when movies.jsonl is out of date
    python data/build.py --facts movies.json  renew sources/facts.jsonl from vega-datasets' file

Needs the standard library only. README.md beside this file says where the facts come from.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MOVIES = HERE / "movies.jsonl"
FACTS = HERE / "sources" / "facts.jsonl"
FILMS = HERE / "sources" / "films.tsv"
TEXTS = HERE / "sources" / "texts.tsv"

VEGA_VERSION = "3.2.1"
VEGA_BLOB = "e38178f99454568c5160fc759184a1a1471cc558"  # as its datapackage.json names the file
VEGA_FIELDS = (
    "Title",
    "Release Date",
    "Running Time min",
    "Major Genre",
    "Director",
    "IMDB Rating",
)
UNKNOWN = "-"  # a cell of films.tsv: no value, whatever facts.jsonl says

Row = dict[str, str]
Movie = dict[str, Any]


def read_table(path: Path) -> list[Row]:
    """Rows of a tab-separated file whose first line names the columns; quotes mean nothing."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def read_facts(path: Path = FACTS) -> dict[str, dict[str, Any]]:
    """Facts by row number: the 0-based place of the film in vega-datasets' movies.json."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {str(facts.pop("row")): facts for facts in map(json.loads, lines)}


def extract_facts(vega: list[dict[str, Any]], films: list[Row]) -> list[dict[str, Any]]:
    """Pick from vega's films the rows that films.tsv uses, values untouched, in vega's order."""
    rows = sorted(int(film["row"]) for film in films if film["row"])
    return [{"row": row} | {name: vega[row][name] for name in VEGA_FIELDS} for row in rows]


def renew_facts(path: Path) -> None:
    """Write facts.jsonl from vega-datasets' movies.json; ValueError when it is another version."""
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()
    if blob != VEGA_BLOB:
        raise ValueError(f"{path} is not data/movies.json of vega-datasets {VEGA_VERSION}")
    FACTS.write_text(to_jsonl(extract_facts(json.loads(content), read_table(FILMS))), "utf-8")


def split_list(cell: str) -> list[str]:
    """Values of a cell such as "French, English"; an empty cell has none."""
    return cell.split(", ") if cell else []


def vega_date(text: str) -> date:
    """Read a date as vega-datasets writes it, such as "Jun 12 1998"."""
    return datetime.strptime(text, "%b %d %Y").date()


def rating_of(cell: str, facts: dict[str, Any]) -> float | None:
    """Rating in films.tsv, else in the facts, else None."""
    if cell == UNKNOWN:
        return None
    rating = float(cell) if cell else facts.get("IMDB Rating")
    return None if rating is None else float(rating)


def compose_movie(film: Row, text: Row, facts: dict[str, Any]) -> Movie:
    """Join one row of films.tsv with its text and its facts. An empty cell means "as in the facts".

    KeyError or ValueError when neither has a value that every film needs.
    """
    if (film["movieId"], film["title"]) != (text["movieId"], text["title"]):
        raise ValueError(f"films.tsv and texts.tsv disagree at {film['movieId']} {film['title']!r}")
    released = (
        date.fromisoformat(film["released"])
        if film["released"]
        else vega_date(facts["Release Date"])
    )
    return {
        "movieId": film["movieId"],
        "title": film["title"],
        "tagline": text["tagline"],
        "plot": text["plot"],
        "released": released.isoformat(),
        "year": released.year,
        "duration": int(film["duration"] or facts["Running Time min"]),
        "languages": split_list(film["languages"]),
        "countries": split_list(film["countries"]),
        "genres": split_list(film["genres"]),
        "directors": split_list(film["directors"] or facts["Director"]),
        "imdbRating": rating_of(film["imdbRating"], facts),
    }


def compose() -> list[Movie]:
    """All movies in the order of films.tsv."""
    facts = read_facts()
    pairs = zip(read_table(FILMS), read_table(TEXTS), strict=True)
    return [compose_movie(film, text, facts.get(film["row"], {})) for film, text in pairs]


def to_jsonl(records: list[dict[str, Any]]) -> str:
    """One JSON object a line, characters as they are (no escapes for what is not ASCII)."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def numbers(movies: list[Movie]) -> dict[str, int]:
    """Count what README.md states, by its words."""
    rows = read_table(FILMS)
    return {
        "films": len(movies),
        "films with facts from vega-datasets": sum(bool(row["row"]) for row in rows),
        "films without a rating": sum(movie["imdbRating"] is None for movie in movies),
        "titles with characters beyond ASCII": sum(
            not movie["title"].isascii() for movie in movies
        ),
        "languages": len({name for movie in movies for name in movie["languages"]}),
        "countries": len({name for movie in movies for name in movie["countries"]}),
        "genres": len({name for movie in movies for name in movie["genres"]}),
        "directors": len({name for movie in movies for name in movie["directors"]}),
        "first year": min(movie["year"] for movie in movies),
        "last year": max(movie["year"] for movie in movies),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description="Compose data/movies.jsonl from data/sources/.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare only, write nothing")
    choice.add_argument(
        "--facts", type=Path, metavar="FILE", help="vega-datasets' data/movies.json"
    )
    options = parser.parse_args(arguments)
    if options.facts:
        renew_facts(options.facts)
    movies = compose()
    content = to_jsonl(movies)
    if options.check:
        same = MOVIES.read_text("utf-8") == content
        print("movies.jsonl is up to date" if same else "movies.jsonl differs: run data/build.py")
        return 0 if same else 1
    MOVIES.write_text(content, "utf-8", newline="\n")
    for name, number in numbers(movies).items():
        print(f"| {name} | {number} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

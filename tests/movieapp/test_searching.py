"""What users type is words, never query syntax; and it finds what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import lab
from movieapp.search import PAGE, query_of, wish_of, words_of
from movieapp.studio import Studio
from tests.movieapp.conftest import typed, was


@given(st.text(max_size=80))
def test_only_words_get_into_a_query(text: str) -> None:
    words = words_of(text)
    assert all(word.isalnum() for word in words)
    query = query_of(wish_of({"q": text}))
    assert not set(query.replace("@title|tagline|plot:", "")) & set("@:{}[]-~\"'\\=$;")


HOSTILE = [
    '"',
    "'",
    "\\",
    "(",
    "-",
    "%",
    "*",
    "@title:{x}",
    "3:10 to Yuma",
    "a|b",
    "=>[KNN 1]",
    "\0",
]
HOSTILE += ["~x", "$x", "the", "the of", "-the", "_", "{}", "[1 2]", "x" * 5000, "é", "%%%%a%%%%"]


@pytest.mark.parametrize("name", ["q", "title", "genre", "country", "rating", "from", "to"])
def test_nothing_that_is_typed_is_an_error(app: TestClient, name: str) -> None:
    for text in HOSTILE:
        answer = app.get("/movies", params={name: text})
        assert answer.status_code == 200, (name, text, answer.text)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("schindler's", "Schindler's List"),
        ("3:10 to yuma", "3:10 to Yuma"),
        ("godf", "The Godfather"),
        ("the godfather", "The Godfather"),
        ("AMÉLIE", "Le Fabuleux Destin d'Amélie Poulain"),
        ("神隠し", "千と千尋の神隠し"),
        ("сталкер", "Сталкер"),
        ("M*A*S*H", "M*A*S*H"),
        ("shawshenk", "The Shawshank Redemption"),
    ],
)
def test_words_find_their_movie(studio: Studio, text: str, title: str) -> None:
    found = studio.finder.find(wish_of({"q": text}))
    assert title in [document["title"] for _, document in found.movies]


def test_a_title_that_is_typed_letter_by_letter_always_finds(studio: Studio) -> None:
    title = "Schindler's List"
    for end in range(2, len(title) + 1):
        found = studio.finder.find(wish_of({"q": title[:end]}), 0, 600)
        assert title in [document["title"] for _, document in found.movies], title[:end]


def test_fields_of_the_form_must_all_hold(studio: Studio) -> None:
    asked = {"genre": "Sci-Fi", "country": "USA", "rating": "8", "from": "1970", "to": "1989"}
    found = studio.finder.find(wish_of(asked), 0, 600).movies
    expected = [
        movie["movieId"]
        for movie in lab.load_movies()
        if "Sci-Fi" in movie["genres"]
        and "USA" in movie["countries"]
        and (movie["imdbRating"] or 0) >= 8
        and 1970 <= movie["year"] <= 1989
    ]
    assert sorted(movie_id for movie_id, _ in found) == sorted(expected) != []


def test_a_number_that_is_none_is_named(app: TestClient) -> None:
    page = app.get("/movies", params={"from": "soon"}).text
    assert "A year, such as 1960" in page
    assert "Before the first year" in app.get("/movies", params={"from": "2000", "to": "1990"}).text


def test_scrolling_brings_every_movie_once(studio: Studio) -> None:
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = studio.finder.find(wish_of({}), offset)
        seen += [movie_id for movie_id, _ in page.movies]
        offset = page.next_offset
    assert sorted(seen) == sorted(movie["movieId"] for movie in lab.load_movies())


def test_the_end_of_a_page_asks_for_the_next(app: TestClient) -> None:
    assert f"offset={PAGE}" in app.get("/movies?genre=Drama").text
    assert "genre=Drama" in app.get("/movies?genre=Drama").text
    assert "offset" not in app.get("/movies?q=schindler").text


def test_the_count_follows_what_is_added_and_deleted(app: TestClient) -> None:
    def told() -> str:
        return app.get("/movies/count", params={"title": "müde"}).text

    assert told() == "No movie matches"
    app.post("/movies/900001/save", data=typed())
    assert told() == "1 movie"
    app.post("/movies/900001/delete", data={"was": was(app, "900001")})
    assert told() == "No movie matches"

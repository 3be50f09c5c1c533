"""A stranger's page reads nothing and changes nothing, and nothing that is stored becomes markup."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from lab.stack.model import Stack
from movieapp.facts import facts_of
from movieapp.posters import poster
from tests.movieapp.conftest import typed


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:8000"]
)
def test_a_host_that_is_not_ours_is_refused(app: TestClient, host: str) -> None:
    assert app.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_names_of_loopback_are_ours(app: TestClient, host: str) -> None:
    assert app.get("/panel", headers={"host": host}).status_code == 200


STRANGERS = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},  # another port of this machine
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
    {"sec-fetch-site": "", "origin": "http://evil.example"},
    {"sec-fetch-site": "", "origin": "null"},
]


@pytest.mark.parametrize(
    "path", ["movies/1/save", "movies/1/delete", "movies/1/pause", "mode", "storm", "mongo"]
)
@pytest.mark.parametrize("headers", STRANGERS, ids=str)
def test_a_strangers_page_cannot_write(app: TestClient, path: str, headers: dict[str, str]) -> None:
    answer = app.post(f"/{path}", data=typed(), headers=headers)
    assert answer.status_code == 403


def test_who_says_nothing_about_itself_cannot_write(app: TestClient) -> None:
    del app.headers["sec-fetch-site"]
    try:
        assert app.post("/storm").status_code == 403
        same = {"origin": "http://127.0.0.1:8000"}
        assert app.post("/movies/1/pause", data={"seconds": "5"}, headers=same).status_code == 200
        other = {"origin": "http://127.0.0.1:8888"}
        assert app.post("/movies/1/pause", data={"seconds": "5"}, headers=other).status_code == 403
    finally:
        app.headers["sec-fetch-site"] = "same-origin"


def test_pages_may_be_framed_by_this_machine_only(app: TestClient) -> None:
    policy = app.get("/").headers["content-security-policy"]
    assert "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


ODD = [{}, {"title": 7}, {"genres": "x", "year": "x"}, {"title": "   "}]
ODD += [{"year": True, "duration": 1e300}]
NASTY = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' {{ 7*7 }} &amp; <!--"


def test_what_is_stored_is_escaped_everywhere(app: TestClient, stack: Stack) -> None:
    words = dict.fromkeys(("title", "tagline", "plot"), NASTY)
    lists = {name: [NASTY] for name in ("genres", "countries", "directors")}
    movie = {"movieId": "666", **words, **lists, "year": 1999, "duration": 100, "imdbRating": 10}
    stack.redis.json().set("MovieEntity:666", "$", movie)
    try:
        app.post("/movies/666/pause", data={"seconds": "5"}, headers={"x-viewer": "nasty"})
        app.headers["x-viewer"] = "nasty"
        pages = [
            "/",
            "/movies?q=script",
            "/movies/666/edit",
            "/movies/666/delete",
            "/continue",
            "/panel",
        ]
        for path in [*pages, f"/?q={NASTY}", f"/movies?q={NASTY}"]:
            page = app.get(path).text
            assert not re.search(r"<script(?! src=\"static/)|<img|onerror=alert\(1\)>", page), path
            assert "49" not in re.findall(r"\{\{.*?\}\}", page)
    finally:
        del app.headers["x-viewer"]
        stack.redis.delete("MovieEntity:666", "PauseEntity:nasty:666")


def test_posters_escape(app: TestClient) -> None:
    drawn = poster(facts_of("1", {"title": NASTY, "directors": [NASTY[:20]], "year": 1}))
    assert "<script" not in drawn
    assert "<img" not in drawn


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"title": 7},
        {"genres": "x", "year": "x"},
        {"title": " " * 9},
        {"year": True, "duration": 1e300},
    ],
)
def test_documents_that_others_wrote_make_a_card(document: dict) -> None:
    facts = facts_of("x", document)
    assert facts.title
    assert poster(facts).startswith("<svg")


def test_the_same_facts_draw_the_same_poster() -> None:
    movie = {"title": "羅生門", "year": 1950, "genres": ["Crime", "Drama"]}
    assert poster(facts_of("1", movie)) == poster(facts_of("1", dict(movie)))
    assert poster(facts_of("1", movie)) != poster(facts_of("2", movie))


def test_addresses_are_relative(app: TestClient) -> None:
    page = app.get("/").text
    found = re.findall(r'(?:href|src|hx-get|hx-post|action)="([^"]*)"', page)
    assert len(found) > 50
    assert not [address for address in found if address.startswith(("/", "http"))]


def test_the_first_page_is_small(app: TestClient) -> None:
    assert len(app.get("/").content) < 200_000

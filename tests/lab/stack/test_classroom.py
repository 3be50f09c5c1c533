"""A classroom's server: thirty sessions on one stack that somebody else runs, and one movie app for all.

They have no key space of their own: the recipes see one prefix and one database, so what a session
empties is empty for all. Who shall experiment needs a stack of their own (test_many_at_once.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

import lab
from lab.stack.model import Stack
from tests.lab.serving import serve

LEARNERS = 30
_SESSION = """
import sys, lab

stack, name = lab.up(), f"class-{sys.argv[1]}"
assert stack.kind == "external"
for turn in range(20):
    stack.redis.json().set(f"MovieEntity:{name}", "$", {"movieId": name, "turn": turn})
lab.wait_until(
    lambda: (stack.db.movies.find_one({"movieId": name}) or {}).get("turn") == 19,
    f"what {name} wrote last is in MongoDB",
    timeout=120,
)
"""

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
def classroom(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The shared stack with the recipe, as the server whose two addresses a class is given."""
    lab.prepare("empty", "movies", "write-behind")
    monkeypatch.setenv("LAB_STACK", "external")
    monkeypatch.setenv("LAB_REDIS_URL", stack.redis_url)
    monkeypatch.setenv("LAB_MONGO_URL", stack.mongo_url)
    return stack


def test_thirty_sessions_write_at_once_and_each_finds_its_own(classroom: Stack) -> None:
    sessions = [
        subprocess.Popen(
            [sys.executable, "-c", _SESSION, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(LEARNERS)
    ]
    said = [one.communicate()[0] for one in sessions]
    assert [one.returncode for one in sessions] == [0] * LEARNERS, "\n".join(said)
    assert classroom.db.movies.count_documents({"movieId": {"$regex": "^class-"}}) == LEARNERS


def test_what_one_session_empties_is_empty_for_all(classroom: Stack) -> None:
    classroom.redis.json().set("MovieEntity:mine", "$", {"movieId": "mine"})
    lab.wait_until(lambda: classroom.db.movies.find_one({"movieId": "mine"}), "it is in MongoDB")
    other = "import lab; lab.up(); lab.prepare('empty')"
    subprocess.run([sys.executable, "-c", other], check=True, env=os.environ.copy())
    assert not classroom.redis.exists("MovieEntity:mine")
    assert not classroom.db.movies.find_one({"movieId": "mine"})


def test_thirty_viewers_use_one_movie_app(classroom: Stack) -> None:
    process, url = serve("app", "--mode", "write-behind-gears")
    try:
        lab.wait_until(lambda: 'aria-disabled="false"' in asked(url, "guest"), "it can write")
        with ThreadPoolExecutor(LEARNERS) as viewers:
            list(viewers.map(lambda number: pauses(url, f"viewer{number}"), range(LEARNERS)))
        theirs = {"user": {"$regex": "^viewer"}}
        lab.wait_until(
            lambda: sum(c.count_documents(theirs) for c in collections(classroom)) >= LEARNERS,
            "the pause of each is in MongoDB",
            timeout=120,
        )
    finally:
        process.terminate()
        process.communicate(timeout=60)


def collections(stack: Stack) -> list:
    """Every collection of the server, since the ways of writing have collections of their own."""
    return [
        stack.mongo[database][name]
        for database in stack.mongo.list_database_names()
        if database not in ("admin", "config", "local")
        for name in stack.mongo[database].list_collection_names()
    ]


def pauses(url: str, viewer: str) -> None:
    """Look at the page, press pause on its first movie, and look at what is to be continued."""
    page = asked(url, viewer)
    movie = page.partition('id="movie-')[2].partition('"')[0]
    asked(url + f"movies/{movie}/pause", viewer, seconds="61")
    assert movie in asked(url + "continue", viewer)


def asked(url: str, viewer: str, **form: str) -> str:
    """Ask the app as its own page would, and return what it answers."""
    own = {"x-viewer": viewer, "sec-fetch-site": "same-origin"}
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(urllib.request.Request(url, data, own), timeout=60) as answer:
        return str(answer.read(), "utf-8")

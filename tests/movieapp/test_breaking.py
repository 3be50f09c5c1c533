"""What the app says and does while a store or the worker is away. Nothing typed is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

import lab
import lab.tools.movieapp
from lab.stack.model import Stack
from movieapp.app import create_app
from movieapp.following.journeys import Stage
from movieapp.studio import Studio
from movieapp.troubles import Trouble
from movieapp.writing.writers import Mode
from tests.lab.conftest import frozen
from tests.movieapp.conftest import OWN_PAGE, choose, ready, typed

ME = {"x-viewer": "me"}
LONG = pytest.mark.long


@contextmanager
def without(service: str) -> Iterator[None]:
    lab.stop(service)
    try:
        yield
    finally:
        lab.start(service)


AWAY = [pytest.param(without, id="down"), pytest.param(frozen, id="hung", marks=LONG)]


@pytest.mark.parametrize("mode", [pytest.param(Mode.GEARS, marks=LONG), Mode.STREAMS])
def test_write_behind_does_not_notice_that_mongo_is_down(
    app: TestClient, studio: Studio, mode: Mode
) -> None:
    choose(app, mode)
    movie_id = str(time.time_ns())
    with without("mongo"):
        answer = app.post(f"/movies/{movie_id}/save", data=typed(), headers=ME)
        assert answer.status_code == 200
        lab.wait_until(
            lambda: studio.observer.sight.mongo_answers is False, "it is seen", timeout=60
        )
        panel = app.get("/panel", headers=ME).text
        assert "MongoDB does not answer." in panel
        assert "what you write waits in the stream" in panel
        lab.wait_until(lambda: studio.observer.sight.depth, "an entry waits", timeout=60)
        (one,) = studio.journal.of("me", 1)
        assert one.is_under_way
    lab.wait_until(lambda: not one.is_under_way, "it has arrived", timeout=60)
    assert one.stage is Stage.COMMITTED


@LONG
def test_a_way_is_not_left_while_writes_wait_in_its_stream(
    app: TestClient, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, Mode.GEARS)
    monkeypatch.setattr("movieapp.studio._DRAIN_SECONDS", 1.0)
    with without("mongo"):
        app.post("/movies/1/pause", data={"seconds": "99"})
        app.post("/mode", data={"mode": Mode.MONGO.value})
        lab.wait_until(lambda: studio.changing_to is None, "the change has ended", timeout=60)
        assert studio.mode is Mode.GEARS
        with pytest.raises(Trouble, match="still wait in the stream"):
            studio.use(Mode.MONGO)
        assert "still wait in the stream" in app.get("/panel").text
    lab.wait_until(lambda: not studio.journal.under_way(), "all have arrived", timeout=60)


@pytest.mark.parametrize("mode", [Mode.MONGO, Mode.THROUGH], ids=lambda mode: mode.value)
@pytest.mark.parametrize("away", AWAY)
def test_what_waits_for_mongo_says_so_and_keeps_what_was_typed(
    app: TestClient, studio: Studio, mode: Mode, away, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, Mode.STREAMS)
    choose(app, mode)
    movie_id = str(time.time_ns())
    with away("mongo"), monkeypatch.context() as hurry:
        hurry.setattr("movieapp.writing.writers.MongoOnly._patience", 1.5)
        answer = app.post(f"/movies/{movie_id}/save", data=typed(plot="Typed with care."))
        assert answer.status_code == 503
        assert "Typed with care." in answer.text
        assert "MongoDB" in answer.text.split('id="told"')[1].split("</div>")[0]
        assert "Save again" in answer.text
        pages = time.monotonic()
        assert app.get("/").status_code == 200  # reads do not wait for MongoDB
        assert time.monotonic() - pages < 30
    lab.wait_until(lambda: studio.observer.sight.mongo_answers, "MongoDB is back", timeout=60)

    def saved() -> bool:
        again = app.post(f"/movies/{movie_id}/save", data=typed(plot="Typed with care."))
        return again.status_code == 200

    if mode is Mode.THROUGH:  # for a second its recipe says at once that MongoDB was away just now
        lab.wait_until(saved, "the recipe asks MongoDB again", timeout=60)
    else:
        assert saved()


@pytest.mark.parametrize("away", AWAY)
def test_redis_is_away(app: TestClient, studio: Studio, away) -> None:
    choose(app, Mode.STREAMS)
    with away("redis"):
        page = app.get("/")
        assert page.status_code == 503
        assert "Redis did" in page.text or "Redis does not answer" in page.text
        assert "static/away.js" in page.text
        cards = app.get("/movies?q=x", headers={"hx-request": "true"})
        assert cards.status_code == 503
        assert cards.headers["hx-retarget"] == "#banner"
        answer = app.post("/movies/5/save", data=typed(plot="Typed with care."))
        assert answer.status_code == 503
        assert "Typed with care." in answer.text
        lab_sees = studio.observer.sight
        lab.wait_until(lambda: lab_sees.redis_answers is False, "it is seen", timeout=60)
        assert "no answer" in app.get("/panel").text
    lab.wait_until(lambda: studio.observer.sight.redis_answers, "Redis is back", timeout=60)
    assert app.get("/").status_code == 200
    movie_id = str(time.time_ns())
    assert app.post(f"/movies/{movie_id}/save", data=typed()).status_code == 200


def test_the_worker_is_killed(app: TestClient, studio: Studio) -> None:
    choose(app, Mode.STREAMS)
    assert app.post("/worker", data={"on": "0"}).status_code == 200
    assert "The worker does not run." in app.get("/panel").text
    app.post("/movies/1/pause", data={"seconds": "123"}, headers=ME)
    (one,) = studio.journal.of("me", 1)
    lab.wait_until(lambda: studio.observer.sight.depth, "it waits", timeout=60)
    assert one.is_under_way
    app.post("/worker", data={"on": "1"})
    lab.wait_until(lambda: not one.is_under_way, "it has arrived", timeout=60)
    assert one.stage is Stage.COMMITTED


@LONG
def test_somebody_empties_redis(app: TestClient, stack: Stack) -> None:
    choose(app, Mode.GEARS)
    stack.redis_direct.flushall()
    assert "No movie matches" in app.get("/").text
    lab.prepare("movies")
    lab.wait_until(lambda: "566 movies" in app.get("/").text, "the cards are back", timeout=60)
    choose(app, Mode.MONGO)
    choose(app, Mode.GEARS)


def test_a_page_that_was_left_open_overnight(stack: Stack) -> None:
    """Another process of the app, with an empty journal, takes what the old page sends."""
    movie_id = str(time.time_ns())
    around = lab.tools.movieapp.surroundings(stack)
    for number in range(2):
        app = TestClient(create_app(around, Mode.STREAMS), base_url="http://127.0.0.1:8000")
        with app:
            app.headers.update(OWN_PAGE)
            ready(app)
            if number == 0:
                assert app.get("/movies/new").status_code == 200
            else:
                answer = app.post(f"/movies/{movie_id}/save", data=typed(), headers=ME)
                assert answer.status_code == 200
                assert app.get("/panel", headers=ME).status_code == 200


def test_an_app_that_cannot_begin_to_write_says_why(app: TestClient, stack: Stack) -> None:
    """Whoever waited for it heard no more than that it took too long."""
    application = create_app(lab.tools.movieapp.surroundings(stack), Mode.STREAMS)
    with without("redis"), TestClient(application, base_url="http://127.0.0.1:8000"):
        with pytest.raises(Trouble, match="cannot be used now"):
            lab.wait_until(application.state.studio.is_ready, "the app can write", timeout=120)

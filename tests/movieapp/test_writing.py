"""Adding, changing, deleting and pausing, in each way of writing; and two people at one movie."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

import lab
from lab.stack.model import Stack
from movieapp.following.journeys import Stage
from movieapp.models import pause_of
from movieapp.studio import Studio
from movieapp.troubles import Trouble
from movieapp.writing.writers import Mode
from tests.movieapp.conftest import choose, typed, was

ME = {"x-viewer": "me"}


@pytest.fixture(params=list(Mode), ids=lambda mode: mode.value, scope="module")
def mode(request: pytest.FixtureRequest, app: TestClient) -> Mode:
    choose(app, request.param)
    return request.param


def last(studio: Studio) -> Stage:
    return studio.journal.of("me", 1)[0].stage


def arrived(studio: Studio) -> None:
    lab.wait_until(lambda: last(studio).is_last, "the write has arrived", timeout=60)
    assert last(studio) is Stage.COMMITTED


def in_mongo(studio: Studio, stack: Stack, key: str) -> dict | None:
    writer = studio.writer
    assert writer
    collection, its = writer.where(key)
    found = stack.mongo[writer.database][collection].find_one(its)
    return None if found is None or found.get("_deleted") else found


def test_a_movie_is_added_changed_and_deleted(
    mode: Mode, app: TestClient, studio: Studio, stack: Stack
) -> None:
    movie_id = str(time.time_ns())
    key = f"MovieEntity:{movie_id}"
    added = app.post(f"/movies/{movie_id}/save", data=typed(), headers=ME)
    assert added.status_code == 200, added.text
    assert "Der müde Tod" in added.text
    arrived(studio)
    assert in_mongo(studio, stack, key)["title"] == "Der müde Tod"

    changes = typed(title="Destiny", was=was(app, movie_id))
    assert app.post(f"/movies/{movie_id}/save", data=changes, headers=ME).status_code == 200
    arrived(studio)
    assert in_mongo(studio, stack, key)["title"] == "Destiny"
    assert stack.redis.json().get(key)["title"] == "Destiny"

    gone = app.post(f"/movies/{movie_id}/delete", data={"was": was(app, movie_id)}, headers=ME)
    assert gone.status_code == 200
    arrived(studio)
    assert in_mongo(studio, stack, key) is None
    assert not stack.redis.exists(key)


def test_a_pause_is_a_document_of_its_own(
    mode: Mode, app: TestClient, studio: Studio, stack: Stack
) -> None:
    for seconds in ("61", "3723"):
        answer = app.post("/movies/1/pause", data={"seconds": seconds}, headers=ME)
        assert answer.status_code == 200
    assert "1:02:03" in answer.text
    assert "1:02:03" in app.get("/continue", headers=ME).text
    assert "1:02:03" not in app.get("/continue", headers={"x-viewer": "other"}).text
    lab.wait_until(
        lambda: (in_mongo(studio, stack, "PauseEntity:me:1") or {}).get("seconds") == 3723,
        "the last pause is in MongoDB",
    )
    assert stack.redis.json().get("MovieEntity:1") == lab.load_movies()[0]  # the movie is untouched


def test_two_people_at_one_movie(mode: Mode, app: TestClient, stack: Stack) -> None:
    mine = theirs = was(app, "5")
    fields = typed(plot="Theirs.", was=theirs)
    assert app.post("/movies/5/save", data=fields).status_code == 200
    answer = app.post("/movies/5/save", data=typed(plot="Mine.", was=mine))
    assert answer.status_code == 409
    assert "Somebody else changed this movie" in answer.text
    assert "Theirs: Theirs." in answer.text
    assert ">Mine.</textarea>" in answer.text
    assert stack.redis.json().get("MovieEntity:5", "$.plot") == ["Theirs."]
    again = typed(plot="Mine.", was=answer.text.split('name="was" value="')[1].split('"')[0])
    assert app.post("/movies/5/save", data=again).status_code == 200
    assert stack.redis.json().get("MovieEntity:5", "$.plot") == ["Mine."]


def test_a_movie_that_somebody_deleted_comes_back_only_when_saved_again(
    mode: Mode, app: TestClient, stack: Stack
) -> None:
    movie_id = str(time.time_ns())
    app.post(f"/movies/{movie_id}/save", data=typed())
    before = was(app, movie_id)
    app.post(f"/movies/{movie_id}/delete", data={"was": before})
    answer = app.post(f"/movies/{movie_id}/save", data=typed(was=before))
    assert answer.status_code == 409
    assert "Somebody deleted this movie" in answer.text
    assert app.post(f"/movies/{movie_id}/save", data=typed(was="")).status_code == 200


def test_saving_twice_is_one_write(mode: Mode, app: TestClient, studio: Studio) -> None:
    movie_id = str(time.time_ns())
    for _ in range(2):
        assert app.post(f"/movies/{movie_id}/save", data=typed(), headers=ME).status_code == 200
    keys = [one.key for one in studio.journal.of("me", 50)]
    expected = 2 if mode is Mode.THROUGH else 1  # write-through cannot know that MongoDB has it
    assert keys.count(f"MovieEntity:{movie_id}") == expected


def test_what_a_form_does_not_show_stays(app: TestClient, stack: Stack) -> None:
    stack.redis.json().set("MovieEntity:9", "$.mine", {"deep": [1]})
    app.post("/movies/9/save", data=typed(was=was(app, "9")))
    assert stack.redis.json().get("MovieEntity:9")["mine"] == {"deep": [1]}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("title", "", "Every movie has a title"),
        ("title", "x" * 2000, "2,000 characters are too many"),
        ("year", "soon", "A year from 1888"),
        ("year", "99999", "A year from 1888"),
        ("imdbRating", "11", "A number from 1 to 10"),
        ("duration", "-3", "Whole minutes"),
        ("genres", [], "Choose at least one genre"),
        ("genres", ["Drama", "Crime", "War", "Sport"], "at most 3 fit"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    app: TestClient, field: str, value: str | list[str], told: str
) -> None:
    answer = app.post("/movies/777/save", data=typed(**{field: value}))
    assert answer.status_code == 422
    beside = answer.text.split(f'id="p-{field}">')[1].split("</p>")[0]
    assert told in beside
    assert "Death is weary." in answer.text
    if isinstance(value, str) and value:
        assert value in answer.text


def test_a_storm_reaches_mongo(mode: Mode, app: TestClient, studio: Studio) -> None:
    assert app.post("/storm").status_code == 200
    lab.wait_until(lambda: studio.storm.is_over, "the storm is over", timeout=90)
    assert studio.storm.done == studio.storm.viewers
    assert studio.storm.failed == 0, studio.storm.reason
    lab.wait_until(lambda: not studio.journal.under_way(), "all have arrived", timeout=90)
    ends = {one.stage for one in studio.journal.of("storm", 300)}
    assert ends <= {Stage.COMMITTED, Stage.OVERTAKEN}


def test_headers_of_events_are_ascii(app: TestClient) -> None:
    answer = app.post("/movies/888/save", data=typed(title="千と千尋の神隠し"))
    told = json.loads(answer.headers["HX-Trigger-After-Swap"])
    assert told["wrote"]["detail"] == "Saved: 千と千尋の神隠し"


@pytest.mark.usefixtures("app")  # names the Redis that Redis OM asks for its modules
def test_redis_gives_back_each_pause_as_it_was_sent(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RedisJSON may read a number of 17 digits as its neighbour; such a write never seemed to arrive."""
    for step in range(300):
        now = 1795720125.4651523 + step / 7
        monkeypatch.setattr("movieapp.models.time.time", lambda now=now: now)
        sent = pause_of("ann", "1", 754).document()
        stack.redis_direct.json().set("pause-sent", "$", sent)
        assert stack.redis_direct.json().get("pause-sent") == sent
    stack.redis_direct.delete("pause-sent")


def test_a_storm_that_eight_tabs_ask_for_at_once_is_one(studio: Studio) -> None:
    lab.wait_until(lambda: not studio.storm or studio.storm.is_over, "no storm blows", timeout=90)

    def begins(_: int) -> bool:
        try:
            studio.begin_storm()
        except Trouble:
            return False
        return True

    with ThreadPoolExecutor(8) as tabs:
        assert sum(tabs.map(begins, range(8))) == 1
    lab.wait_until(lambda: studio.storm.is_over, "the storm is over", timeout=90)

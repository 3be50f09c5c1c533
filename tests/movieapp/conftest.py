"""A stack of the tests' own with the movies in it, and the app in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

import lab
import lab.tools.movieapp
from lab.stack.model import Stack
from movieapp.app import create_app
from movieapp.studio import Studio
from movieapp.writing.writers import Mode
from tests.lab.conftest import own_stack

OWN_PAGE = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests of the app."""
    with own_stack(tmp_path_factory.mktemp("app") / "lab") as stack:
        yield stack


@pytest.fixture(scope="module")
def app(stack: Stack) -> Iterator[TestClient]:
    """The app as its own page sees it, writing behind with Gears."""
    lab.up()
    lab.prepare("empty", "movies")
    application = create_app(lab.tools.movieapp.surroundings(stack), Mode.GEARS)
    with TestClient(application, base_url="http://127.0.0.1:8000", headers=OWN_PAGE) as client:
        ready(client)
        yield client


@pytest.fixture
def studio(app: TestClient) -> Studio:
    return studio_of(app)


def studio_of(app: TestClient) -> Studio:
    found: Studio = app.app.state.studio  # type: ignore[attr-defined]
    return found


def ready(app: TestClient) -> None:
    """Wait until the app has changed its way of writing, and has not failed to."""
    studio = studio_of(app)
    lab.wait_until(lambda: studio.changing_to is None, "the app can write", timeout=120)
    assert studio.trouble is None, studio.trouble


def choose(app: TestClient, mode: Mode) -> None:
    """Have the app write in a way, once nothing is under way; wait until it does."""
    studio = studio_of(app)
    lab.wait_until(lambda: not studio.journal.under_way(), "nothing is under way", timeout=60)
    assert app.post("/mode", data={"mode": mode.value}).status_code == 200
    ready(app)
    assert studio.mode is mode


def typed(**other: str | list[str]) -> dict[str, str | list[str]]:
    """What somebody types into the form of a movie."""
    fields: dict[str, str | list[str]] = {
        "title": "Der müde Tod",
        "tagline": "Death is weary.",
        "plot": "A young woman asks Death for her lover.",
        "year": "1921",
        "duration": "98",
        "countries": "Germany",
        "directors": "Fritz Lang",
        "imdbRating": "7.6",
        "genres": ["Fantasy", "Romance"],
        "was": "",
    }
    return {**fields, **other}


def was(app: TestClient, movie_id: str) -> str:
    """The fingerprint that the form of a movie holds."""
    form = app.get(f"/movies/{movie_id}/edit")
    assert form.status_code == 200, form.text
    found = re.search(r'name="was" value="([0-9a-f]*)"', form.text)
    assert found
    return found[1]

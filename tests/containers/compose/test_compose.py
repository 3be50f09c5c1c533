"""The compose file with our images: brought up, used as the external stack, and taken down.

And a class's compose stack, with data, beside which stacks of the lab and runs of tests come and go.
"""

from __future__ import annotations

import re
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from lab.stack import lifecycle, redisclient
from tests.containers.compose.project import Project
from tests.containers.conftest import environment, left_of, volumes_of
from tests.inner import inner_run
from tests.notebooks.book import FOLDER, NOTEBOOKS, Book
from tests.notebooks.running import run
from tests.plugins.docker_here import MONGO_IMAGE, REDIS_IMAGES

pytestmark = [
    pytest.mark.containers("compose"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("compose"),
]

PASSWORD = "not-a-secret-of-anyone"


@pytest.fixture(scope="module")
def project(engine) -> Iterator[Project]:
    made = Project(PASSWORD)
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def external(project, monkeypatch) -> lab.Stack:
    for name, value in project.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lifecycle, "_current", None)
    return lab.up()


def test_the_password_is_asked_for(project, external):
    with pytest.raises(Exception, match="authenticated"):
        redisclient.connect(f"redis://127.0.0.1:{project.redis_port}").ping()


@pytest.mark.parametrize(
    "path",
    [path for path in NOTEBOOKS if path.name[:2] in ("04", "06")],
    ids=lambda path: path.stem,
)
def test_notebooks_use_it_as_the_external_stack(path, external, record_property):
    run(path, record_property)


def test_data_survive_down_and_up(project, external):
    external.redis.set("kept", "yes")
    external.db.movies.delete_many({})
    external.db.movies.insert_one({"movieId": "1"})
    volumes = volumes_of(project.containers().values())
    assert all(name.startswith(f"{project.name}_") for name in volumes)  # none without a name
    project.compose("down")
    assert project.containers() == {}
    project.up()
    again = lab.up()
    assert again.redis.get("kept") == "yes"
    assert again.db.movies.count_documents({}) == 1


@pytest.fixture
def untouched(project, external) -> Iterator[lab.Stack]:
    """The class's stack with data of a learner's, which are there afterwards; nothing was restarted."""
    movie = {"movieId": "the learner's"}
    external.redis.set("whose", "the learner's")
    external.db.movies.replace_one(movie, movie, upsert=True)
    before = started(project)
    yield external
    assert started(project) == before
    assert external.redis.get("whose") == "the learner's"
    assert external.db.movies.count_documents(movie) == 1


def test_a_stack_of_the_lab_leaves_it_alone(untouched, engine):
    beside = Path(tempfile.mkdtemp(prefix="lab-"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(beside, REDIS_IMAGES[0]).items():
            patch.setenv(name, value)
        patch.setattr(lifecycle, "_current", None)
        stack = lab.up()
        lab.prepare("movies")
        lab.reset()
        lab.kill("redis")
        lab.down(data=True)
    assert stack.redis_url != untouched.redis_url
    assert left_of(engine, beside) == []


RUN_BESIDE = f"""
import pytest
import lab

@pytest.mark.parametrize("kind", ["embedded", "containers"])
def test_inner(kind, monkeypatch):
    monkeypatch.setenv("LAB_REDIS_IMAGE", {REDIS_IMAGES[0]!r})
    monkeypatch.setenv("LAB_MONGO_IMAGE", {MONGO_IMAGE!r})
    lab.up() if kind == "embedded" else lab.up(kind)
    lab.prepare("movies")
    lab.reset()
    lab.down(data=True)
"""


def test_a_run_of_tests_leaves_it_alone_though_the_environment_names_it(
    project, untouched, tmp_path_factory
):
    base = tmp_path_factory.mktemp("r")  # short: sockets lie inside
    with inner_run(base, RUN_BESIDE, **project.variables()) as run:
        said, _ = run.process.communicate()
    assert run.process.returncode == 0, said
    assert "2 passed" in said


def lines_of_notebook_07() -> list[str]:
    """The lines with docker compose that the notebook's section on RedisInsight shows."""
    book = Book(FOLDER / "07_inspect_the_streams.ipynb")
    (section,) = [s for s in book.sections() if s.title == "Look with RedisInsight"]
    return re.findall(r"docker compose [^`\n]+", section.prose)


def test_the_lines_of_notebook_07(project, external, insight_image):
    start, stop, start_again = lines_of_notebook_07()
    project.type(start)
    with urllib.request.urlopen(f"http://127.0.0.1:{project.insight_port}/") as page:
        assert page.status == 200
    project.type(stop)
    assert project.containers()["mongo"].status == "exited"
    external.redis.set("written", "meanwhile")
    project.type(start_again)
    assert external.mongo.admin.command("ping")


def started(project: Project) -> dict[str, tuple[str, str]]:
    """For each container of the project its id and the moment it was started."""
    return {
        service: (one.id, one.attrs["State"]["StartedAt"])
        for service, one in project.containers().items()
    }

"""The compose file with our images: brought up, used as the external stack, and taken down.

And a class's compose stack, with data, beside which a stack of the lab comes and goes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from lab import lifecycle
from lab.containers.engine import connect
from lab.stack import connect_redis
from tests import janitor
from tests.containers.conftest import environment, left_of
from tests.docker_here import MONGO_IMAGE, REDIS_IMAGES, compose_command
from tests.freeports import free_ports
from tests.notebooks.book import NOTEBOOKS
from tests.notebooks.running import run
from tests.project.files import REPOSITORY

pytestmark = [
    pytest.mark.containers("compose"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("compose"),
]

PASSWORD = "not-a-secret-of-anyone"


class Project:
    """One project of docker compose, with a name, ports, containers and volumes of its own."""

    def __init__(self, password: str = "") -> None:
        self.name = Path(os.environ[janitor.MARK]).name  # by which the janitor knows it
        self.redis_port, self.mongo_port = free_ports(2)
        self.password = password
        self._env = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.name,
            "REDIS_IMAGE": REDIS_IMAGES[0],
            "MONGO_IMAGE": MONGO_IMAGE,
            "REDIS_PORT": str(self.redis_port),
            "MONGO_PORT": str(self.mongo_port),
            "REDIS_PASSWORD": password,
        }

    def compose(self, *words: str) -> None:
        """Run docker compose, old or new, with this project."""
        command = compose_command()
        assert command, "docker compose is not installed"
        words = (*command, "-f", "docker-compose.yml", *words)
        done = subprocess.run(words, cwd=REPOSITORY, env=self._env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def up(self) -> None:
        """Start it. Redis waits for a MongoDB that is healthy; we wait for Redis."""
        self.compose("up", "-d")
        engine_wait(self.containers()["redis"])

    def containers(self) -> dict:
        """The containers by service."""
        filters = {"label": f"com.docker.compose.project={self.name}"}
        found = connect().containers.list(all=True, filters=filters)
        return {one.labels["com.docker.compose.service"]: one for one in found}

    def variables(self) -> dict[str, str]:
        """What leads notebooks to it, as .env.example says."""
        login = f":{self.password}@" if self.password else ""
        return {
            "LAB_STACK": "external",
            "LAB_REDIS_URL": f"redis://{login}127.0.0.1:{self.redis_port}",
            "LAB_MONGO_URL": f"mongodb://127.0.0.1:{self.mongo_port}/?directConnection=true",
            "LAB_RECIPE_MONGO_URL": "mongodb://mongo:27017",
        }


def engine_wait(container) -> None:
    """Wait until Docker calls a container healthy."""
    while True:
        container.reload()
        health = container.attrs["State"]["Health"]["Status"]
        assert container.status == "running", container.logs().decode()
        if health == "healthy":
            return


@pytest.fixture(scope="module")
def project(engine) -> Iterator[Project]:
    made = Project(PASSWORD)
    try:
        made.up()
        yield made
    finally:
        made.compose("down", "--volumes")
    assert made.containers() == {}
    assert not engine.volumes.list(filters={"label": f"com.docker.compose.project={made.name}"})
    assert not engine.networks.list(filters={"label": f"com.docker.compose.project={made.name}"})


@pytest.fixture
def external(project, monkeypatch) -> lab.Stack:
    for name, value in project.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lifecycle, "_current", None)
    return lab.up()


def test_the_password_is_asked_for(project, external):
    with pytest.raises(Exception, match="authenticated"):
        connect_redis(f"redis://127.0.0.1:{project.redis_port}").ping()


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
    project.compose("down")
    assert project.containers() == {}
    project.up()
    again = lab.up()
    assert again.redis.get("kept") == "yes"
    assert again.db.movies.count_documents({}) == 1


def test_a_stack_of_the_lab_leaves_it_alone(project, external, engine, monkeypatch):
    external.redis.set("whose", "the learner's")
    external.db.movies.insert_one({"movieId": "the learner's"})
    before = started(project)
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
    assert stack.redis_url != external.redis_url
    assert left_of(engine, beside) == []
    assert started(project) == before
    assert external.redis.get("whose") == "the learner's"
    assert external.db.movies.count_documents({"movieId": "the learner's"}) == 1


def started(project: Project) -> dict[str, tuple[str, str]]:
    """For each container of the project its id and the moment it was started."""
    return {
        service: (one.id, one.attrs["State"]["StartedAt"])
        for service, one in project.containers().items()
    }

"""The profile `jupyter` of the compose file, on our base image: JupyterLab inside, on the stack beside."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.compose.project import Project, wait_healthy
from tests.containers.conftest import CERTIFICATES, TRUST, run_docker
from tests.plugins.docker_here import BASE_IMAGE

pytestmark = [
    pytest.mark.containers("compose", "base"),
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("compose"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the folder to somebody else"),
]

LEARNER = 1000
TOKEN = "not-a-secret-of-anyone"


@pytest.fixture
def project(clone: Path) -> Iterator[Project]:
    """The stack and JupyterLab on a clone that belongs to a learner."""
    for place in (clone, *clone.rglob("*")):
        os.chown(place, LEARNER, LEARNER)
    here = {"environment": TRUST, "volumes": CERTIFICATES}
    version = {"version": "2.4"}  # which only the old docker-compose asks for
    override = clone / "docker-compose.override.yml"  # which compose reads by itself
    override.write_text(json.dumps(version | {"services": {"jupyter": here}}))
    os.chown(override, LEARNER, LEARNER)
    made = Project(folder=clone, JUPYTER_IMAGE=BASE_IMAGE, JUPYTER_TOKEN=TOKEN)
    try:
        made.compose("--profile", "jupyter", "up", "-d")
        yield made
    finally:
        made.down()


def save(url: str, text: str) -> None:
    """Save a text file as JupyterLab does."""
    body = json.dumps({"type": "file", "format": "text", "content": text}).encode()
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    asked = urllib.request.Request(url, body, headers, method="PUT")
    with urllib.request.urlopen(asked) as reply:
        assert reply.status == 201


def test_a_notebook_runs_and_what_is_saved_is_the_learners(project):
    container = project.containers()["jupyter"]
    wait_healthy(container)
    save(f"http://127.0.0.1:{project.jupyter_port}/api/contents/notebooks/mine.txt", "hello")
    notebook = [".venv/bin/jupyter", "execute", "notebooks/04_hello_gears.ipynb"]
    run_docker("exec", "--user", f"{LEARNER}:{LEARNER}", container.name, *notebook)
    assert (project.folder / "notebooks" / "mine.txt").read_text() == "hello"
    others = [p for p in project.folder.rglob("*") if p.lstat().st_uid != LEARNER]
    assert others == []

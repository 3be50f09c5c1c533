"""The lines with docker that notebook 02 shows, typed for real.

Names, ports and images are the test's own; all else is as a reader sees it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import docker
from lab.stack import containers
from tests.containers.compose.project import wait_healthy
from tests.containers.conftest import run_docker
from tests.freeports import free_ports
from tests.notebooks.book import FOLDER, Book, fences
from tests.plugins import janitor
from tests.plugins.docker_here import MONGO_IMAGE, REDIS_IMAGES

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]

IMAGES = {"mongo": MONGO_IMAGE, "redislabs/redismod": REDIS_IMAGES[0]}


def shown() -> tuple[list[str], list[str]]:
    """The lines of the section on containers: the fence's, then the table's."""
    book = Book(FOLDER / "02_start_the_stack.ipynb")
    (section,) = [s for s in book.sections() if s.title == "The same parts in containers"]
    (fence,) = fences(section.prose, "")
    table = "\n".join(line for line in section.prose.splitlines() if line.startswith("|"))
    return fence.splitlines(), re.findall(r"`(docker (?!run|compose)[^`]+)`", table)


class Terminal:
    """Types lines, with names that only this run uses and a label by which its janitor knows them."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self.engine = engine
        self.home = Path(os.environ[janitor.MARK], "lines")
        self.redis_port, mongo_port = free_ports(2)
        self._label = ["--label", f"{containers.HOME}={self.home / 'stack'}"]
        self._instead = {name: self.name(name) for name in ("movies", "mongo", "redis")} | {
            "127.0.0.1:6379:6379": f"127.0.0.1:{self.redis_port}:6379",
            "127.0.0.1:27017:27017": f"127.0.0.1:{mongo_port}:27017",
            "-it": "-i",  # there is no terminal
        }

    def name(self, shown: str) -> str:
        """The name that takes the place of one in the notebook."""
        return f"{self.home.parent.name}-{shown}"

    def type(self, line: str) -> str:
        """Run a line and return what it prints; when it starts a container, wait until it is healthy."""
        seen = line.split()
        words = [self._instead.get(word, word) for word in seen]
        if seen[1:3] == ["network", "create"]:
            words[3:3] = self._label
        if seen[1] != "run":
            return run_docker(*words[1:])
        name = seen[seen.index("--name") + 1]
        words[2:] = [*self._label, "--network-alias", name, *words[2:-1], IMAGES[seen[-1]]]
        said = run_docker(*words[1:])
        wait_healthy(self.engine.containers.get(self.name(name)))
        return said


@pytest.fixture
def terminal(engine) -> Iterator[Terminal]:
    made = Terminal(engine)
    yield made
    for thing in janitor.docker_things(made.home):
        janitor.remove(thing)
    assert janitor.docker_things(made.home) == []


def test_the_lines_start_what_the_text_says_and_end_it(terminal, engine):
    starting, table = shown()
    said = {line: terminal.type(line) for line in starting}
    assert said["docker exec -it redis redis-cli PING"] == "PONG\n"
    assert said["docker exec -it redis redis-cli RG.INFOCLUSTER"] == "no cluster mode\n"
    assert redis.Redis(port=terminal.redis_port).ping()  # your notebook reaches it at 127.0.0.1
    reach = "import socket; socket.create_connection(('mongo', 27017))"  # the recipe, by its name
    run_docker("exec", terminal.name("redis"), "python3", "-c", reach)

    said = {line: terminal.type(line) for line in table}
    assert terminal.name("redis") in said["docker ps"]
    assert "docker kill redis" in said
    for name in ("redis", "mongo"):
        assert engine.containers.get(terminal.name(name)).status == "exited"

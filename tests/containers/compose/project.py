"""One project of docker compose, for the tests that bring the compose file up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from docker.models.containers import Container

from lab.stack.containers.engine import connect
from tests.containers.conftest import INSIGHT, all_volumes, volumes_of
from tests.freeports import free_ports
from tests.plugins import janitor
from tests.plugins.docker_here import MONGO_IMAGE, REDIS_IMAGES, compose_command
from tests.plugins.sandbox import REPOSITORY


class Project:
    """One project of docker compose, with a name, ports, containers and volumes of its own.

    Where there is no `docker compose`, it is Debian's docker-compose 1.29, which has no `--wait`:
    then the tests wait themselves.
    """

    def __init__(self, password: str = "", folder: Path = REPOSITORY, **more: str) -> None:
        self.name = Path(os.environ[janitor.MARK]).name  # by which the janitor knows it
        self.redis_port, self.mongo_port, self.insight_port, self.jupyter_port = free_ports(4)
        self.password = password
        self.folder = folder
        self._env = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.name,
            "REDIS_IMAGE": REDIS_IMAGES[0],
            "MONGO_IMAGE": MONGO_IMAGE,
            "REDIS_PORT": str(self.redis_port),
            "MONGO_PORT": str(self.mongo_port),
            "REDISINSIGHT_IMAGE": INSIGHT,
            "REDISINSIGHT_PORT": str(self.insight_port),
            "JUPYTER_PORT": str(self.jupyter_port),
            "REDIS_PASSWORD": password,
            **more,
        }

    def compose(self, *words: str) -> None:
        """Run docker compose, old or new, with this project."""
        command = compose_command()
        assert command, "docker compose is not installed"
        done = subprocess.run(
            [*command, *words], cwd=self.folder, env=self._env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def type(self, line: str) -> None:
        """Run a line of a notebook, and wait for what it starts to be healthy."""
        words = line.split()
        assert words[:2] == ["docker", "compose"]
        self.compose(*[word for word in words[2:] if word != "--wait"])
        if {"up", "start"} & set(words):
            for container in self.containers().values():
                wait_healthy(container)

    def up(self) -> None:
        """Start it. Redis waits for a MongoDB that is healthy; we wait for Redis."""
        self.compose("up", "-d")
        wait_healthy(self.containers()["redis"])

    def down(self) -> None:
        """End it, with its data, and see that nothing is left of it."""
        volumes = volumes_of(self.containers().values())
        self.compose("--profile", "redisinsight", "--profile", "jupyter", "down", "--volumes")
        mine = {"label": f"com.docker.compose.project={self.name}"}
        assert self.containers() == {}
        assert not connect().volumes.list(filters=mine)
        assert not connect().networks.list(filters=mine)
        assert not volumes & all_volumes(connect())

    def containers(self) -> dict[str, Container]:
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


def wait_healthy(container: Container) -> None:
    """Wait until Docker calls a container healthy."""
    while True:
        container.reload()
        health = container.attrs["State"]["Health"]["Status"]
        assert container.status == "running", container.logs().decode()
        if health == "healthy":
            return

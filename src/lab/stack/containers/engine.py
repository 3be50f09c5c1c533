"""The Docker daemon: reach it, or say why not."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab.errors import Mendable

if TYPE_CHECKING:
    from docker import DockerClient

_DEFAULT_SOCKET = "/var/run/docker.sock"


class NoDocker(Mendable):
    """There is no Docker on this machine."""


class NoDaemon(Mendable):
    """Docker is installed; its daemon does not run."""


class NoPermission(Mendable):
    """The daemon runs; this user may not talk to it."""


def is_likely() -> bool:
    """Tell, without asking it, whether a Docker daemon may run here."""
    places = (
        Path(_DEFAULT_SOCKET),
        Path.home() / ".docker" / "run" / "docker.sock",  # Docker Desktop
        Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")) / "docker.sock",  # without root
    )
    return bool(os.environ.get("DOCKER_HOST")) or any(place.exists() for place in places)


def connect() -> DockerClient:
    """Return a client of the Docker daemon, the same one for the whole process.

    Raises NoDocker, NoDaemon or NoPermission, each with what to do about it.
    """
    from docker.errors import DockerException

    docker_host = os.environ.get("DOCKER_HOST", "")
    with quiet_testcontainers():
        try:
            client = _client(docker_host)
            client.ping()  # each time: the daemon may have ended since
        except (DockerException, OSError) as problem:
            raise _explained(problem, docker_host) from problem
    return client


@cache
def _client(docker_host: str) -> DockerClient:
    from testcontainers.core.docker_client import DockerClient as TestcontainersClient

    # It knows contexts, rootless Docker and ~/.testcontainers.
    return TestcontainersClient().client


def _explained(problem: Exception, docker_host: str) -> Mendable:
    place = docker_host or f"unix://{_DEFAULT_SOCKET}"
    socket = Path(urlsplit(place).path) if place.startswith("unix:") else None
    if "Permission denied" in str(problem):
        return NoPermission(
            f"This user may not talk to Docker at {place}",
            "On Linux: `sudo usermod -aG docker $USER`, then log in again.",
        )
    if not docker_host and shutil.which("docker") is None and not (socket and socket.exists()):
        return NoDocker(
            "Docker is not installed",
            "Install it (https://docs.docker.com/engine/install), or use the embedded stack, which "
            "needs none: lab.up('embedded').",
        )
    on_linux = platform.system() == "Linux"
    start = "Start it: `sudo systemctl start docker`" if on_linux else "Start Docker Desktop"
    return NoDaemon(
        f"No Docker daemon answers at {place}",
        f"{start}; or use the embedded stack: lab.up('embedded').",
    )


@contextlib.contextmanager
def quiet_testcontainers() -> Iterator[None]:
    """Use testcontainers for a stack that outlives this process.

    Its Ryuk would remove the containers when the kernel ends, and the next notebook wants to find
    them. So Ryuk is not started here; and a Ryuk that a learner's own tests have started in this
    process is not told of these containers, because they carry another session's id. `lab down`
    finds them by the lab's labels.
    """
    from testcontainers.core import labels
    from testcontainers.core.config import testcontainers_config as config

    before = config.ryuk_disabled, labels.SESSION_ID
    config.ryuk_disabled, labels.SESSION_ID = True, "write-behind-lab"
    try:
        yield
    finally:
        config.ryuk_disabled, labels.SESSION_ID = before

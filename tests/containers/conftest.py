"""Stacks in real containers, from images that `make images` has built."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker.models.containers import Container

import docker
import lab
from lab.stack import containers, lifecycle
from lab.stack.containers.engine import connect
from tests.clone import clone_into
from tests.plugins.docker_here import MONGO_IMAGE, REDIS_IMAGES


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The Docker daemon, with the images on it (`tests/plugins/docker_here.py`)."""
    return connect()


@contextmanager
def own_containers() -> Iterator[Path]:
    """A home whose stack runs in containers and is nobody else's; it is removed with the block's end."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder, REDIS_IMAGES[0]).items():
            patch.setenv(name, value)
        patch.setattr(lifecycle, "_current", None)
        try:
            yield folder
        finally:
            containers.down(data=True)


@pytest.fixture
def home(engine: docker.DockerClient) -> Iterator[Path]:
    """A stack in containers that belongs to the test, not started yet; removed afterwards."""
    with own_containers() as folder:
        yield folder


@pytest.fixture
def stack(home: Path) -> lab.Stack:
    """A stack in containers, started."""
    return lab.up()


def environment(fother_one: Path, redis_image: str) -> dict[str, str]:
    """The variables that lead to a stack of containers in `fother_one`."""
    return {
        "LAB_STACK": "containers",
        "LAB_HOME": str(fother_one),
        "LAB_REDIS_IMAGE": redis_image,
        "LAB_MONGO_IMAGE": MONGO_IMAGE,
    }


def left_of(engine: docker.DockerClient, fother_one: Path) -> list[str]:
    """Name the containers, networks and volumes of the stack in `fother_one`."""
    mine = {"label": f"{containers.HOME}={fother_one}"}
    kinds = (
        engine.containers.list(all=True, filters=mine, ignore_removed=True),
        engine.networks.list(filters=mine),
        engine.volumes.list(filters=mine),
    )
    return [thing.name for found in kinds for thing in found]


def parts_of(engine: docker.DockerClient, fother_one: Path) -> dict[str, Container]:
    """The containers of the stack in `fother_one` by part, in whatever state they are."""
    mine = {"label": f"{containers.HOME}={fother_one}"}
    found = engine.containers.list(all=True, filters=mine, ignore_removed=True)
    return {container.labels["write-behind.lab.part"]: container for container in found}


def volumes_of(found: Iterable[Container]) -> set[str]:
    """The volumes that containers use, those without a name of ours, too."""
    mounts = [mount for container in found for mount in container.attrs["Mounts"]]
    return {mount["Name"] for mount in mounts if mount["Type"] == "volume"}


def all_volumes(engine: docker.DockerClient) -> set[str]:
    """Every volume that the daemon has."""
    return {volume.name for volume in engine.volumes.list()}


def run_docker(*words: str) -> str:
    """Run the docker command and return what it printed."""
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


INSIGHT = "write-behind-test/redisinsight:latest"
"""A web server that takes RedisInsight's place: its port, its page of health, its volume, and wget,
which the health check of docker-compose.yml calls."""

_INSIGHT = """
FROM write-behind/minigears:latest
USER root
RUN mkdir -p /web/api/health && echo up >/web/api/health/index.html && printf '%s\\n' '#!/bin/sh' \\
 'exec python3 -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[-1])" "$@"' \\
 >/usr/local/bin/wget && chmod +x /usr/local/bin/wget
HEALTHCHECK NONE
VOLUME /data
EXPOSE 5540
STOPSIGNAL SIGINT
ENTRYPOINT ["python3", "-m", "http.server", "5540", "--directory", "/web"]
"""


@pytest.fixture(scope="session")
def insight_image(engine: docker.DockerClient) -> str:
    """The image that takes RedisInsight's place."""
    engine.images.build(fileobj=io.BytesIO(_INSIGHT.encode()), tag=INSIGHT, rm=True)
    return INSIGHT


_CERTIFICATES = Path("/etc/ssl/certs")
CERTIFICATES = [f"{_CERTIFICATES}:{_CERTIFICATES}:ro"] if _CERTIFICATES.is_dir() else []
"""The volume with which a container that installs packages gets the host's certificates, since some
networks sign what passes with a certificate of their own."""

TRUST = {
    name: str(_CERTIFICATES / "ca-certificates.crt")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
    if CERTIFICATES
}
"""The variables that go with them."""


@pytest.fixture
def clone() -> Path:
    """The files that are committed or would be, in a folder that any user may write."""
    folder = Path(tempfile.mkdtemp(prefix="hosted-"))
    clone_into(folder)
    subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
    return folder

"""Which images the stack is made of, and having them on this machine."""

from __future__ import annotations

import os
import platform

from lab.errors import Mendable
from lab.report import progress, say
from lab.stack.containers.engine import connect

PUBLISHED = {
    "redis": "redislabs/redismod:latest",
    "mongo": "mongo:7.0.28",
    "redisinsight": "redis/redisinsight:2.70.1",
}
"""The images of the tutorial. redismod holds real RedisGears 1.2, for amd64 only; it was never
published under a version."""

BUILT = {"redis": "write-behind/redis:8.2", "mongo": "write-behind/mongo:latest"}
"""What `make images` builds to take their places: Redis 8.2 with minigears, and SecantusDB."""

_AMD64 = ("x86_64", "AMD64")


class NoImage(Mendable):
    """An image is not on this machine, and cannot be pulled."""


def chosen(part: str) -> str:
    """Return the name of the image for "redis", "mongo" or "redisinsight".

    `LAB_REDIS_IMAGE` and its like decide. Without them it is the tutorial's image where it is on this
    machine, else the one that `make images` built here, else the tutorial's, which will be pulled.
    Where redismod does not run, on arm64, ours goes first.
    """
    if named := os.environ.get(f"LAB_{part.upper()}_IMAGE"):
        return named
    candidates = [PUBLISHED[part], *([BUILT[part]] if part in BUILT else [])]
    if part == "redis" and platform.machine() not in _AMD64:
        candidates.reverse()
    return next((image for image in candidates if is_here(image)), candidates[0])


def is_here(image: str) -> bool:
    """Tell whether an image is on this machine. Raises NoImage for what cannot be an image's name."""
    from docker.errors import APIError, ImageNotFound

    try:
        connect().images.get(image)
    except ImageNotFound:
        return False
    except APIError as problem:
        raise _not_to_be_had(image, problem) from problem
    return True


def container_images() -> dict[str, str]:
    """Return the images for "redis" and "mongo" when Docker answers and has both, else {}.

    One line says what is missing then. Nothing is pulled.
    """
    try:
        found = {part: chosen(part) for part in BUILT}
        missing = [image for image in found.values() if not is_here(image)]
    except Mendable as problem:
        say(f"No containers here: {problem}".replace("\n", " "))
        return {}
    if missing:
        build = "`make images` builds ours, without a registry `make images BASE=debian`."
        say(f"No containers here: {' and '.join(missing)} not on this machine. {build}")
        return {}
    return found


def fetch(image: str) -> None:
    """Pull an image that is not here yet. Raises NoImage when that fails."""
    from docker.errors import DockerException

    if is_here(image):
        return
    say(f"The image {image} is not on this machine; pulling it. This can take minutes, once.")
    try:
        with progress(f"Pulling {image}"):
            connect().images.pull(image)
    except DockerException as problem:
        raise _not_to_be_had(image, problem) from problem


def ask_registry(image: str) -> None:
    """Ask the registry whether an image could be pulled. Raises NoImage when it could not."""
    from docker.errors import DockerException

    try:
        connect().images.get_registry_data(image)
    except DockerException as problem:
        raise _not_to_be_had(image, problem) from problem


def _not_to_be_had(image: str, problem: Exception) -> NoImage:
    reason = str(getattr(problem, "explanation", "") or problem).strip()
    return NoImage(
        f"{image} is not on this machine and cannot be pulled ({reason})",
        "Check the name and the network; or build images here: `make images`, without a registry "
        "`make images BASE=debian`; or load a kit's: `lab kit install DIR`.",
    )


def exposes(image: str, port: int) -> bool:
    """Tell whether an image that is on this machine declares a TCP port."""
    config = connect().images.get(image).attrs.get("Config") or {}
    return f"{port}/tcp" in (config.get("ExposedPorts") or {})


def is_foreign(image: str) -> str:
    """Return the architecture of an image that is here when the daemon's is another, else ""."""
    client = connect()
    theirs = str(client.images.get(image).attrs.get("Architecture", ""))
    ours = str(client.version().get("Arch", ""))
    return theirs if theirs and ours and theirs != ours else ""

"""Making what a stack consists of in Docker: network, volumes, containers, all of them labelled."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import PortTaken, StartFailed
from lab.report import say
from lab.stack import ports
from lab.stack.containers import images
from lab.stack.containers.engine import connect, quiet_testcontainers
from lab.stack.containers.parts import DIRECT_PORT, Part
from lab.stack.ports import LOOPBACK

if TYPE_CHECKING:
    from docker.models.containers import Container

HOME = "write-behind.lab.home"
"""The label that holds the folder of the stack, on containers, networks and volumes."""

PART = "write-behind.lab.part"
"""The label that holds a container's part: "redis", "mongo" or "redisinsight"."""

_PORT_TRIES = 5
_TAKEN = ("port is already allocated", "address already in use", "ports are not available")


def _stack_name(home: Path) -> str:
    """Return the start of all names of a stack: short, and another for each folder."""
    return "wb-" + hashlib.sha256(str(home).encode()).hexdigest()[:6]


def _labels(home: Path, part: str = "") -> dict[str, str]:
    return {HOME: str(home), **({PART: part} if part else {})}


def make_network(home: Path) -> None:
    """Make the stack's own network when there is none."""
    name = _stack_name(home)
    if not connect().networks.list(names=[f"^{name}$"]):
        connect().networks.create(name, labels=_labels(home))


def _volumes(home: Path, part: Part, image: str) -> dict[str, str]:
    """Return the volumes of a part, each with its folder in the container.

    Each image has its own: Redis 7 cannot read what Redis 8 wrote.
    """
    name = f"{_stack_name(home)}-{part.name}-{hashlib.sha256(image.encode()).hexdigest()[:6]}"
    first, *others = part.data
    volumes = {name: first, **{f"{name}-{Path(folder).name}": folder for folder in others}}
    for volume in volumes:
        connect().volumes.create(volume, labels=_labels(home))  # returns the one that exists
    return volumes


def remove(container: Container) -> None:
    """Remove a container, and with it the volumes without a name; those with one stay."""
    container.remove(force=True, v=True)


def run(home: Path, part: Part, stopped: Container | None) -> Container:
    """Start a part: the container that was stopped, or a new one on ports that are free."""
    from docker.errors import APIError

    if stopped is not None:
        try:
            stopped.start()
            return stopped
        except APIError as problem:  # its port has another owner now, or it was never whole
            if not _is_taken(problem):
                say(
                    f"{part.title} could not be started again ({problem.explanation}); making it anew."
                )
            remove(stopped)
    for attempt in range(_PORT_TRIES):
        try:
            return _create(home, part, images.chosen(part.name), skip=attempt)
        except PortTaken as problem:
            say(f"{problem}; trying the next ports.")
    raise StartFailed(f"{part.title} found no port in {_PORT_TRIES} tries. Try lab.up() again.")


def _create(home: Path, part: Part, image: str, skip: int) -> Container:
    from docker.errors import APIError
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network as NamedNetwork

    with quiet_testcontainers():
        network = NamedNetwork()
        network.name = _stack_name(home)
        made = (
            DockerContainer(
                image, env=dict(part.environment), command=" ".join(part.command) or None
            )
            .with_name(f"{_stack_name(home)}-{part.name}")
            .with_network(network)
            .with_network_aliases(part.name)
            .with_kwargs(labels=_labels(home, part.name))
        )
        for volume, folder in _volumes(home, part, image).items():
            made.with_volume_mapping(volume, folder, "rw")
        made.ports.update(_host_ports(part, image, skip))
        try:
            made.start()
        except APIError as problem:
            with contextlib.suppress(Exception):
                remove(connect().containers.get(f"{_stack_name(home)}-{part.name}"))
            if _is_taken(problem):
                raise PortTaken(f"A port of {part.title} was taken while it started") from problem
            raise StartFailed(
                f"{part.title} ({image}) cannot be started: {problem.explanation}"
            ) from problem
    return connect().containers.get(made.get_container_id())


def _host_ports(part: Part, image: str, skip: int) -> dict[str, Any]:
    """Return a free loopback port for each port that the image has."""
    taken: set[int] = set()
    for first in part.ports.values():
        taken.add(first)
    chosen: dict[str, Any] = {}
    for inside, first in part.ports.items():
        if inside == DIRECT_PORT and not images.exposes(image, inside):
            continue
        port = ports.next_free(first + skip, avoid=taken - {first})
        taken.add(port)
        if port != first:
            owner = ports.owner(first) or "another program"
            say(f"Port {first} is taken by {owner}; {part.title} gets {port}.")
        chosen[f"{inside}/tcp"] = (LOOPBACK, port)
    return chosen


def _is_taken(problem: Exception) -> bool:
    return any(words in str(problem) for words in _TAKEN)

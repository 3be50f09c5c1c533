"""What `lab doctor` says of Docker and of the stack in containers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.checkup.findings import Finding, Level
from lab.errors import Mendable
from lab.stack import ports
from lab.stack.containers import images
from lab.stack.containers.engine import connect
from lab.stack.containers.parts import MONGO_PORT, Part, parts
from lab.stack.containers.running import found, mapped, tail

if TYPE_CHECKING:
    from docker.models.containers import Container

LEAST_DISK = 2 * 2**30
"""Bytes that should be free where Docker keeps images and volumes."""

_ENDED_IN_ORDER = (0, 137, 143)  # by itself, by SIGKILL, by SIGTERM: `lab.stop`, `lab.kill`
_PATIENCE = 3  # seconds for Redis to reach MongoDB


def findings() -> Iterator[Finding]:
    """Examine the daemon, the images, the ports, the disk and what runs; nothing is changed."""
    try:
        version = connect().version()
    except Mendable as problem:
        yield Finding(Level.BAD, "Docker", problem.what, problem.mend)
        return
    yield Finding(Level.OK, "Docker", f"{version['Version']}, {version['Os']}/{version['Arch']}")
    yield from _command()
    yield from _disk()
    running = found()
    for part in parts().values():
        container = running.get(part.name)
        yield from _image(part)
        if container is None:
            yield from _ports(part)
        else:
            yield from _container(part, container)
    yield from _network(running)


def _command() -> Iterator[Finding]:
    """Look for the command: the notebooks' terminal lines are `docker exec`, and `lab logs` is it, too."""
    if shutil.which("docker") is None:
        mend = "Install it: https://docs.docker.com/engine/install."
        yield Finding(Level.BAD, "docker command", "not on the PATH, though the daemon runs", mend)


def _disk() -> Iterator[Finding]:
    """Look at the disk that Docker writes to, when it is one of this machine's."""
    root = Path(connect().info().get("DockerRootDir") or "")
    if not root.is_absolute() or not root.exists():
        return  # Docker runs elsewhere, or in a virtual machine with a disk of its own
    free = shutil.disk_usage(root).free
    detail = f"{free / 2**30:.1f} GB free for Docker in {root}"
    if free < LEAST_DISK:
        mend = "Free some: `docker system prune` removes what no container uses."
        yield Finding(Level.BAD, "Docker's disk", detail, mend)
    else:
        yield Finding(Level.OK, "Docker's disk", detail)


def _image(part: Part) -> Iterator[Finding]:
    image = images.chosen(part.name)
    what = f"image of {part.name}"
    try:
        here = images.is_here(image)
        if not here:
            images.ask_registry(image)
    except images.NoImage as problem:
        yield Finding(Level.BAD, what, problem.what, problem.mend)
        return
    if not here:
        yield Finding(Level.NOTE, what, f"{image}, not here yet", "`lab up` pulls it.")
    elif theirs := images.is_foreign(image):
        mend = (
            f"Set LAB_{part.name.upper()}_IMAGE to one for this machine (`make images` builds ours), or "
            "install emulation: `sudo apt-get install qemu-user-static`."
        )
        yield Finding(Level.BAD, what, f"{image} is for {theirs}, and this machine is not", mend)
    else:
        yield Finding(Level.OK, what, image)


def _ports(part: Part) -> Iterator[Finding]:
    for port in part.ports.values():
        if ports.is_free(port):
            yield Finding(Level.OK, f"port {port}", "free")
        else:
            owner = ports.owner(port) or "another program"
            mend = f"Nothing to do: {part.title} gets the next free port, and lab says which."
            yield Finding(Level.NOTE, f"port {port}", f"taken by {owner}", mend)


def _container(part: Part, container: Container) -> Iterator[Finding]:
    if container.status == "running":
        where = ", ".join(f"127.0.0.1:{port}" for port in mapped(container).values())
        yield Finding(Level.OK, part.title, f"{container.name} runs at {where}")
        return
    code = container.attrs["State"]["ExitCode"]
    if container.attrs["State"]["OOMKilled"]:
        mend = "Give Docker more memory, or end other programs; then `lab up` starts it again."
        yield Finding(Level.BAD, part.title, f"{container.name} ran out of memory", mend)
        return
    if code in _ENDED_IN_ORDER:
        yield Finding(Level.NOTE, part.title, f"{container.name} is stopped", "Start it: `lab up`.")
        return
    said = tail(container, 3).replace("\n", " / ")
    mend = f"See `docker logs {container.name}`; then `lab down` and `lab up` make it anew."
    yield Finding(Level.BAD, part.title, f"{container.name} ended with code {code}: {said}", mend)


def _network(running: dict[str, Container]) -> Iterator[Finding]:
    """See whether recipes, which run in Redis's container, reach MongoDB by its alias."""
    pair = [running.get("redis"), running.get("mongo")]
    if not all(container and container.status == "running" for container in pair):
        return
    redis = running["redis"]
    connecting = f"exec 3<>/dev/tcp/mongo/{MONGO_PORT}"
    code, _ = redis.exec_run(["timeout", str(_PATIENCE), "bash", "-c", connecting])
    if code == 0:
        yield Finding(Level.OK, "recipes", f"reach MongoDB at mongo:{MONGO_PORT}")
    else:
        mend = (
            "`lab down`, then `lab up`: it makes the network and both containers anew; data stay."
        )
        yield Finding(
            Level.BAD, "recipes", f"{redis.name} cannot reach MongoDB at mongo:{MONGO_PORT}", mend
        )

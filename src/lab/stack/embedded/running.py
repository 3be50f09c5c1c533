"""The embedded stack: start it, find it again, stop it, and mend whatever is broken in it."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from lab import paths
from lab.errors import LabError, PortTaken, StartFailed
from lab.report import progress, say
from lab.stack import ports
from lab.stack.embedded import datalock, processes, sockets, statefile
from lab.stack.embedded.services import SERVICES, Service
from lab.stack.embedded.statefile import State

READY_SECONDS = 120.0
"""How long a service may take to become ready; a usual start takes one or two, twelve at once a minute."""

_MIN_FREE = 200 * 2**20  # bytes of disk below which databases fail in strange ways
_PORT_TRIES = 12
_JUMP = 100  # ports among which the next try is
_SETTLE_SECONDS = 10.0


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
            if not _usable(home, state, service, missing):
                missing.append(service)
        if missing:
            with progress("Starting " + ", ".join(service.title for service in missing)):
                _start(home, state, missing)
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
        if not _usable(home, state, service, missing=[]):
            _start(home, state, [service])


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


def _usable(home: Path, state: State, service: Service, missing: list[Service]) -> bool:
    """Tell whether a service runs and answers. One that hangs is killed, with a message.

    One that needs a service that is `missing` cannot answer now; `_settle` looks at it later.
    """
    known = state.services.get(service.name)
    if known is None or known.proc is None:
        return False
    if not known.proc.alive:
        say(f"{service.title} (process {known.proc.pid}) had ended; starting it again.")
        return False
    if any(absent.name in service.needs for absent in missing):
        return True
    try:
        service.ping(home, known.port)
    except Exception as problem:
        say(f"{service.title} does not answer ({_short(problem)}); starting it again.")
        processes.kill(processes.marked(home, service.name))
        known.proc.wait_gone()  # one that was dying already has no marks any more
        return False
    return True


def _start(home: Path, state: State, services: list[Service]) -> None:
    """Start services side by side, each as soon as those that it needs are ready."""
    for service in services:
        for needed in service.needs:
            _wait_started(home, state, services, needed)
        _spawn(home, state, service)
    for service in services:
        _wait_started(home, state, services, service.name)
    _settle(home, state, {service.name for service in services})


def _settle(home: Path, state: State, started: set[str]) -> None:
    """See that what kept running finds the services again that were started; else restart it."""
    for service in SERVICES.values():
        known = state.services.get(service.name)
        kept = service.name not in started and known is not None and known.proc is not None
        if known and kept and started & set(service.needs):
            with contextlib.suppress(StartFailed):
                _wait_ready(home, state, service, seconds=_SETTLE_SECONDS)
                continue
            say(f"{service.title} did not find what it needs again; starting it again.")
            processes.kill(processes.marked(home, service.name))
            _start(home, state, [service])


def _wait_started(home: Path, state: State, services: list[Service], name: str) -> None:
    """Wait for one service, if it is among those being started, and move it off a taken port."""
    service = SERVICES[name]
    if service not in services:
        return
    for _ in range(_PORT_TRIES):
        try:
            _wait_ready(home, state, service)
            return
        except PortTaken:
            taken = state.services[name].port
            say(f"Port {taken} was taken while {service.title} started; trying the next one.")
            # Others that start now would all try the next one.
            _spawn(home, state, service, first=taken + random.randint(1, _JUMP))
    raise StartFailed(f"{service.title} found no port in {_PORT_TRIES} tries. Try lab.up() again.")


def _spawn(home: Path, state: State, service: Service, first: int | None = None) -> None:
    """Start one process and write down at once that it exists."""
    known = state.services.get(service.name)
    preferred = first or (known.port if known else service.preferred_port)
    others = state.ports() - ({known.port} if known else set())
    reserved = {s.preferred_port for s in SERVICES.values() if s is not service}
    port = ports.next_free(preferred, avoid=others | reserved)
    if port != preferred and first is None:
        owner = ports.owner(preferred) or "another program"
        say(f"Port {preferred} is taken by {owner}; {service.title} gets {port}.")
    try:
        service.prepare(home)
        with _data_of(home, service) as lock:
            proc = processes.spawn(
                service.argv(home, port),
                home=home,
                service=service.name,
                log=service.log(home),
                env=service.env(),
                keep=lock,
            )
    except OSError as problem:
        raise statefile.disk_error(problem, home) from problem
    state.services[service.name] = statefile.KnownService(port, proc)
    statefile.write(home, state)


@contextlib.contextmanager
def _data_of(home: Path, service: Service) -> Iterator[tuple[int, ...]]:
    """Lock a service's data for the process that will have them. Raises DataInUse.

    Also asked is who answers already: a file system may know no locks.
    """
    if not service.keeps_data:
        yield ()
        return
    with datalock.taken(service.data(home)) as lock:
        if other := service.holder(home):
            raise datalock.DataInUse(
                f"The data in {service.data(home)} are in use by {other}, which this stack did not "
                "start. End that, or set LAB_HOME to another folder."
            )
        yield lock


def _wait_ready(home: Path, state: State, service: Service, seconds: float = READY_SECONDS) -> None:
    """Wait until a process listens and answers. Raises PortTaken or StartFailed."""
    known = state.services[service.name]
    assert known.proc is not None
    deadline = time.monotonic() + seconds
    problem: Exception | None = None
    while time.monotonic() < deadline:
        process = known.proc.handle()
        if process is None:
            raise _why_it_ended(home, service, known.port)
        try:
            if _listens(process, known.port):
                service.ping(home, known.port)
                return
        except Exception as not_yet:
            problem = not_yet
        time.sleep(0.05)
    raise StartFailed(
        f"{service.title} was not ready after {seconds:.0f} s ({_short(problem)}). "
        f"The end of {service.log(home)}:\n{processes.tail(service.log(home))}"
    )


def _listens(process: psutil.Process, port: int) -> bool:
    """Tell whether a process, or a child of its, listens on a port: not some other program."""
    return any(port in ports.listening(p) for p in (process, *process.children(recursive=True)))


def _why_it_ended(home: Path, service: Service, port: int) -> StartFailed:
    """Explain a process that ended before it was ready."""
    end = processes.tail(service.log(home))
    if not ports.is_free(port):
        return PortTaken(f"port {port} is taken")
    if "No space left on device" in end:
        return StartFailed(
            f"{service.title} ended because the disk that holds {home} is full. Free some space, "
            "or set LAB_HOME to a folder on another disk."
        )
    return StartFailed(
        f"{service.title} ended while it started. `lab doctor` may say why. "
        f"The end of {service.log(home)}:\n{end}"
    )


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


def _short(problem: Exception | None) -> str:
    text = str(problem) if problem else "no answer"
    return text.splitlines()[0][:100] if text else type(problem).__name__

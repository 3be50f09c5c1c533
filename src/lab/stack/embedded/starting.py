"""Services of the embedded stack as they start: each on its port, as soon as those that it needs are ready."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from lab.errors import PortTaken, StartFailed
from lab.report import say
from lab.stack import ports
from lab.stack.embedded import datalock, processes, statefile
from lab.stack.embedded.services import SERVICES, Service
from lab.stack.embedded.statefile import State

READY_SECONDS = 120.0
"""How long a service may take to become ready; a usual start takes one or two, twelve at once a minute."""

_PORT_TRIES = 12
_JUMP = 100  # ports among which the next try is
_SETTLE_SECONDS = 10.0


def usable(home: Path, state: State, service: Service, missing: list[Service]) -> bool:
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


def start(home: Path, state: State, services: list[Service]) -> None:
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
            start(home, state, [service])


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
            service.recover(home)
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


def _short(problem: Exception | None) -> str:
    text = str(problem) if problem else "no answer"
    return text.splitlines()[0][:100] if text else type(problem).__name__

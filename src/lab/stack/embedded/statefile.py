"""The file by which the next notebook finds the stack that an earlier one started.

It is written whole or not at all. What cannot be read is put aside and reported, never an error:
the processes themselves are found by their marks.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import filelock

from lab.errors import LabError
from lab.report import say
from lab.stack.embedded.processes import Proc
from lab.stack.embedded.services import SERVICES

_FORMAT = 2
_FILE = "stack.json"
_LOCK = "stack.lock"


@dataclass
class KnownService:
    """What is remembered of one service. `proc` is None while it is stopped on purpose."""

    port: int
    proc: Proc | None = None


@dataclass
class State:
    """The services that were started, by name."""

    services: dict[str, KnownService] = field(default_factory=dict)

    def ports(self) -> set[int]:
        """Return the ports that the stack has given to its services."""
        return {service.port for service in self.services.values()}


def read(home: Path) -> State:
    """Return the state of the stack in `home`; an empty one when there is none to be read.

    A file that is damaged, or of another version, is renamed and reported. Raises LabError for a
    folder that cannot be used.
    """
    file = home / _FILE
    try:
        return _decode(file.read_text(encoding="utf-8"), home)
    except FileNotFoundError:
        return State()
    except OSError as problem:
        raise disk_error(problem, home) from problem
    except (ValueError, KeyError, TypeError, AttributeError):
        _put_aside(file)
        return State()


def _put_aside(file: Path) -> None:
    aside = file.with_suffix(".damaged.json")
    try:
        file.replace(aside)
    except OSError as problem:
        raise disk_error(problem, file.parent) from problem
    say(f"The stack's state file was damaged; it is now {aside.name}, and a new one is begun.")


def write(home: Path, state: State) -> None:
    """Replace the state file atomically. Raises LabError when the disk is full or read-only."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle, temporary = tempfile.mkstemp(dir=home, prefix=_FILE)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(_encode(state, home), out, indent=2)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).replace(home / _FILE)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise disk_error(problem, home) from problem


def remove(home: Path) -> None:
    """Forget the stack."""
    (home / _FILE).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(home: Path, timeout: float = 120.0) -> Iterator[None]:
    """Hold the stack's lock, so that two kernels never start the same stack at once.

    The system releases the lock of a holder that is killed. Raises LabError after `timeout`
    seconds.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise disk_error(problem, home) from problem
    lock = filelock.FileLock(home / _LOCK)
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            say("Another notebook or terminal is at work on the stack; waiting for it.")
            lock.acquire(timeout=timeout)
    except filelock.Timeout:
        raise LabError(
            f"The stack in {home} has been locked for over {timeout:.0f} s. End the notebook or "
            "terminal that is starting or stopping it, then try again."
        ) from None
    except NotImplementedError:
        raise LabError(
            f"{home} is on a file system that cannot lock files. Set LAB_HOME to a folder on a disk of "
            "this system's own."
        ) from None
    except OSError as problem:
        raise disk_error(problem, home) from problem
    try:
        yield
    finally:
        lock.release()


def disk_error(problem: OSError, folder: Path) -> LabError:
    """Turn an error of the file system into one that says what to do."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabError(
            f"The disk that holds {folder} is full. Free some space, or set LAB_HOME to a folder "
            "on another disk."
        )
    return LabError(f"{folder} cannot be written ({problem}). Set LAB_HOME to a folder that can.")


def _encode(state: State, home: Path) -> dict[str, object]:
    services = {name: asdict(service) for name, service in state.services.items()}
    return {"format": _FORMAT, "home": os.fsdecode(home), "services": services}


def _decode(text: str, home: Path) -> State:
    data = json.loads(text)
    if data["format"] not in (1, _FORMAT):
        raise ValueError("a state file of another version")
    # Of an older version, or copied with its folder: the ports hold, the processes are not ours.
    ours = data["format"] == _FORMAT and data["home"] == os.fsdecode(home)
    services = {}
    for name, known in data["services"].items():
        if name not in SERVICES:
            continue  # another version's: its process is found by its marks, and ended
        proc = known["proc"] if ours else None
        services[name] = KnownService(
            int(known["port"]), proc and Proc(int(proc["pid"]), str(proc["born"]))
        )
    return State(services)

"""Who has a service's data: the process that holds a lock on them, which ends when it ends.

A state file can be lost, and a process can belong to another machine's or container's lab. The kernel
knows all the same: the process inherits the lock, so there is no moment at which it lies.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from lab.errors import LabError

try:
    import fcntl
except ImportError:  # Windows, where there is no embedded stack
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class DataInUse(LabError):
    """Another process has the data that a service is about to open."""


@contextlib.contextmanager
def taken(data: Path) -> Iterator[tuple[int, ...]]:
    """Lock the folder `data`; yield the file descriptor for the process that is to hold the lock.

    What inherits the descriptor has the lock until it ends. Raises DataInUse when another process
    has it, and OSError when the lock's file cannot be made. Where the file system knows no locks
    there is none.
    """
    file = lock_file(data)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, file, data)
        yield (descriptor,)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path, data: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataInUse(
            f"The data in {data} are in use by {_holder(file)}, which is not this stack's. End that, "
            "or set LAB_HOME to another folder."
        ) from None
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise


def lock_file(data: Path) -> Path:
    """Return the file that is locked: beside the data, which may be deleted."""
    return data.with_name(data.name + ".lock")


def _holder(file: Path) -> str:
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(
                Path(opened.path) == file for opened in process.open_files()
            ):
                return f"{process.info['name']} (process {process.pid})"
    return "a process that cannot be seen from here"

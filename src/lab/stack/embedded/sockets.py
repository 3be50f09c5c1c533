"""Where Redis's unix socket is: a place that can hold one, the same for every shell and notebook."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import stat
from pathlib import Path

from lab.errors import LabError

_NAME = "redis.sock"
_LONGEST_PATH = 100  # bytes; the kernel allows 104 on macOS and 108 on Linux
_ELSEWHERE = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
"""Not the system's temporary folder, which TMPDIR moves: another shell has another one."""


def path(base: Path) -> Path:
    """Return the path of Redis's unix socket for the stack folder `base`.

    It is in `base`, unless that path is longer than a socket's may be, or the file system holds no
    sockets (Windows's drives in WSL, folders shared with a virtual machine). Then it is in a folder of
    this user's own in /tmp, which `down` removes. Raises LabError where no place will do.
    """
    inside = base / _NAME
    if inside.is_socket():
        return inside  # it has one already, even if it could take no other now
    if _fits(inside) and holds_sockets(base):
        return inside
    for folder in _ELSEWHERE:
        place = folder / own_folder(base) / _NAME
        if _is_ours(place.parent) and holds_sockets(folder):
            return place
    raise LabError(
        f"{base} cannot hold a unix socket, which Redis and minigears meet at, and neither can "
        f"{', '.join(map(str, _ELSEWHERE))}. Set LAB_HOME to a folder on a disk of this system's own."
    )


def own_folder(base: Path) -> str:
    """Return the name of the folder for a stack's socket: another for each user and stack."""
    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    return f"lab-{os.geteuid()}-{digest}"


def holds_sockets(folder: Path) -> bool:
    """Tell whether a socket can be made, and met, in `folder`, or where that will be made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    place = str(there / f".s{secrets.token_hex(3)}")  # shorter than the name that it stands for
    with (
        contextlib.closing(socket.socket(socket.AF_UNIX)) as server,
        contextlib.closing(socket.socket(socket.AF_UNIX)) as client,
    ):
        try:
            server.bind(place)
            server.listen(1)
            client.connect(place)
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                Path(place).unlink()
    return True


def make_folder(base: Path) -> Path:
    """Make the folder of the stack's socket, for this user alone, and return the socket's path."""
    place = path(base)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def remove(base: Path) -> None:
    """Remove the stack's socket, and its folder where that is outside the stack's own."""
    for place in (base / _NAME, *(folder / own_folder(base) / _NAME for folder in _ELSEWHERE)):
        if place.parent != base and not (place.parent.is_dir() and _is_ours(place.parent)):
            continue
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)
            if place.parent != base:
                place.parent.rmdir()


def _fits(place: Path) -> bool:
    return len(os.fsencode(place)) <= _LONGEST_PATH


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder is this user's alone, or not there yet: in /tmp others write, too."""
    try:
        found = folder.lstat()
    except OSError:
        return not folder.is_symlink()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return mine and not found.st_mode & 0o077

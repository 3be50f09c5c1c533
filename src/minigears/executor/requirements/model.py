"""What a requirement is: its name, where it is installed, what it brought along."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508

COULD_NOT_SATISFY = "Could not satisfy requirements (look at redis log file for more information)"
VERSION = 2
"""The version of requirements that RedisGears 1.2 tells; its clients put it into file names."""

_MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64v8", "arm64": "arm64v8"}

Log = Callable[[str, str], None]
"""Takes a message and its level: `debug`, `verbose`, `notice` or `warning`."""


class RequirementError(Exception):
    """A requirement cannot be had. The reason is in the log."""


@dataclass(frozen=True)
class Requirement:
    """An installed requirement."""

    name: str
    """As in PEP 508, for example `pymongo==3.12.0`."""
    path: Path
    """Its directory; nothing else is in there."""
    wheels: tuple[str, ...]
    """File names of the wheels that were installed, dependencies included."""
    compiled_os: str

    @property
    def site(self) -> Path:
        """What goes on `sys.path`."""
        return self.path / "site"

    def metadata(self) -> dict[str, Any]:
        """The fields that `RG.PYEXPORTREQ` and `RG.PYDUMPREQS` begin with, in their order."""
        return {
            "GearReqVersion": VERSION,
            "Name": self.name,
            "IsDownloaded": "yes",
            "IsInstalled": "yes",
            "CompiledOs": self.compiled_os,
            "Wheels": list(self.wheels),
        }


def canonical_name(text: str) -> str:
    """The requirement in one spelling. Raises ValueError, with the reason, if it is not allowed.

    A name with versions, extras and markers is allowed (PEP 508). Options, URLs and paths are not:
    a script's requirements come over the network, and an installer obeys what looks like an option.
    """
    try:
        parsed = Pep508(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r} is not a requirement: {error}") from error
    if parsed.url is not None:
        raise ValueError(f"{text!r} names a place; only names and versions can be required")
    return str(parsed)


def slug(name: str) -> str:
    """A directory name for a requirement: readable, and different for each."""
    readable = re.sub(r"[^A-Za-z0-9._=-]+", "_", name)[:60]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def python_tag() -> str:
    """Which interpreters can share compiled wheels with this one."""
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"


def compiled_os() -> str:
    """System, release and machine in one word, such as `linux-bookworm-x64`."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}-{_release()}-{machine}"


def _release() -> str:
    if sys.platform == "darwin":
        return platform.mac_ver()[0].partition(".")[0]
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return release.get("VERSION_CODENAME") or release["ID"] + release.get("VERSION_ID", "")

"""How this user types a command of the course, in the terminal that is open."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from lab import paths

_BY_MAKE = {"up", "down", "status", "doctor", "lab", "setup"}


def line(verb: str) -> str:
    """Return the line for a verb of `lab`, as it would be found where it is going to be typed.

    Who came by make gets `make down`: the PATH that make sets ends with it.
    """
    if "MAKELEVEL" in os.environ and verb in _BY_MAKE:
        return f"make {verb}"
    if is_on_path("lab"):
        return f"lab {verb}"
    return f"{shlex.quote(str(paths.scripts() / 'lab'))} {verb}"


def is_on_path(name: str) -> bool:
    """Tell whether this environment's command is the one that the user's shell finds."""
    found = shutil.which(name)
    ours = (paths.scripts() / name).resolve()
    return "MAKELEVEL" not in os.environ and bool(found) and Path(str(found)).resolve() == ours

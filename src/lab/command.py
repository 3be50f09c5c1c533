"""How this user types a command of the course, in the terminal that is open."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from lab import paths

_BY_MAKE = {"up", "down", "status", "doctor", "lab", "setup", "fetch"}


def line(verb: str) -> str:
    """Return the line for a verb of `lab`: `make down` for who came by make, else with a `lab` that is found."""
    if "MAKELEVEL" in os.environ and verb in _BY_MAKE:
        return f"make {verb}"
    ours = paths.scripts() / "lab"
    found = shutil.which("lab")
    if "MAKELEVEL" not in os.environ and found and Path(found).resolve() == ours.resolve():
        return f"lab {verb}"
    return f"{shlex.quote(str(ours))} {verb}"

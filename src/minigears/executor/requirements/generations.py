"""Several installations of one requirement: its name points to the one in force.

The first one is a directory of that name. One that is installed anew has a directory of its own, so
that what runs with the old one keeps it, and it can be taken back.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path


def current(home: Path) -> Path:
    """The directory of the installation in force."""
    return home.resolve() if home.is_symlink() else home


def fresh(home: Path) -> Path:
    """A directory for another installation, which does not exist."""
    return home.with_name(f"{home.name}~{secrets.token_hex(4)}")


def point(home: Path, target: Path) -> Path | None:
    """Let `target` be in force; returns where the one before it is now, if there was one."""
    before = current(home) if home.exists() else None
    if before == home:
        before = home.rename(fresh(home))
    link = home.with_name(f".{home.name}.link-{secrets.token_hex(4)}")
    link.symlink_to(target.name, target_is_directory=True)
    link.replace(home)
    return before


def forget_others(home: Path, *kept: Path | None) -> None:
    """Remove installations that are not in force any more, but for `kept`."""
    for directory in home.parent.glob(f"{home.name}~*"):
        if directory not in kept and directory != current(home):
            shutil.rmtree(directory, ignore_errors=True)


def forget_modules(site: Path) -> None:
    """Let the next `import` read the modules anew that came from here."""
    begin = f"{site}{os.sep}"
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(begin):
            del sys.modules[name]

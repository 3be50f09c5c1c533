"""Files that several tests of the project read."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from tests.plugins.sandbox import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAKEFILE = (REPOSITORY / "Makefile").read_text()


def pyproject(folder: str = ".") -> dict[str, Any]:
    """Return the content of a folder's pyproject.toml."""
    return tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text(encoding="utf-8"))


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def documents() -> list[Path]:
    """Return the Markdown files of the project."""
    return sorted(
        [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*/README.md")]
    )


def written() -> list[Path]:
    """Return the files of the source folders, relative to the repository; none that was generated."""
    found = []
    for top in (
        "benchmarks",
        "data",
        "docker",
        "docs",
        "notebooks",
        "recipes",
        "src",
        "tests",
        "tools",
    ):
        for folder, folders, names in os.walk(REPOSITORY / top):
            folders[:] = [f for f in folders if not f.startswith((".", "__"))]
            found += [Path(folder, n).relative_to(REPOSITORY) for n in names if n[0] != "."]
    return sorted(found)

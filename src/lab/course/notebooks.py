"""The course's notebooks as files."""

from __future__ import annotations

import re
from pathlib import Path

from lab import paths
from lab.errors import LabError

_NAME = re.compile(r"(\d\d[a-z]?)_\w+\.ipynb")


def all_notebooks() -> dict[str, Path]:
    """Return the notebooks by their numbers ("06", "02b"), in the order of the course.

    A learner's own copies (`06_write_behind.mine-1.ipynb`) are none of the course's.
    """
    names = sorted((paths.root() / "notebooks").glob("*.ipynb"))
    return {found[1]: path for path in names if (found := _NAME.fullmatch(path.name))}


def number_of(typed: str) -> str:
    """Return the number that somebody means by "5", "2b", "05" or a notebook's file name."""
    word = Path(typed).name.partition("_")[0]
    return f"0{word}" if re.fullmatch(r"\d[a-z]?", word) else word


def notebook(number: str) -> Path:
    """Return a notebook by its number. Raises LabError, naming those that are there."""
    known = all_notebooks()
    if number not in known:
        raise LabError(f"There is no notebook {number!r}; there are: {', '.join(known)}.")
    return known[number]

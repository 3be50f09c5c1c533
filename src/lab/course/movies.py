"""The course's data."""

from __future__ import annotations

import json
from typing import Any

from lab import paths
from lab.errors import LabError


def load_movies() -> list[dict[str, Any]]:
    """Return the movies of `data/movies.jsonl`, in order, each with the fields of the tutorial.

    Raises LabError when the file is not there.
    """
    file = paths.root() / "data" / "movies.jsonl"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise LabError(
            f"{file} is missing. Run the notebook from a clone of the repository."
        ) from None
    return [json.loads(line) for line in lines if line.strip()]

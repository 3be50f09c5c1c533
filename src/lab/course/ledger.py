"""The one file that remembers what a learner has predicted and solved: `progress.json` in `.lab`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock

from lab import paths
from lab.report import say

FILE = "progress.json"
_PARTS = ("exercises", "quizzes", "predictions")


def read() -> dict[str, dict[str, Any]]:
    """Return what is remembered: exercises, quizzes and predictions, each by its id.

    A file that cannot be read counts as empty; it is put aside at the next `change`.
    """
    try:
        return _decoded((paths.home() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {part: {} for part in _PARTS}


def change(edit: Callable[[dict[str, dict[str, Any]]], None]) -> None:
    """Let `edit` change what is remembered, one process at a time.

    A disk that is full or read-only must not cost a learner the verdict: it is said in a line.
    """
    file = paths.home() / FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(file.with_suffix(".lock"), timeout=10):
            _put_aside_if_damaged(file)
            known = read()
            edit(known)
            _replace(file, known)
    except (OSError, NotImplementedError) as problem:
        say(f"Your progress could not be noted in {file}: {problem}.", aside=True)


def forget() -> bool:
    """Delete the file. Return whether there was one."""
    file = paths.home() / FILE
    was_there = file.exists()
    file.unlink(missing_ok=True)
    return was_there


def _decoded(text: str) -> dict[str, dict[str, Any]]:
    known = json.loads(text)
    if not isinstance(known, dict):
        raise ValueError("no object")
    parts = {part: known.get(part, {}) for part in _PARTS}
    if not all(isinstance(part, dict) for part in parts.values()):
        raise ValueError("a part is no object")
    return parts


def _put_aside_if_damaged(file: Path) -> None:
    try:
        _decoded(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        aside = file.with_suffix(".damaged.json")
        file.replace(aside)
        say(f"{file.name} was damaged; it is now {aside.name}, and a new one is begun.", aside=True)


def _replace(file: Path, known: dict[str, dict[str, Any]]) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=FILE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(known, out, indent=2, ensure_ascii=False)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""Running a notebook with nbmake, on a stack that belongs to the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbmake.nb_run import NotebookRun

from tests.notebooks.book import FOLDER, REPOSITORY, Book
from tests.plugins.minutes import KEY

CELL_TIMEOUT = 120
"""Seconds that one cell may take before its notebook fails."""

_LOG_LINES = 15

Record = Callable[[str, object], None]


@contextmanager
def stack_folder() -> Iterator[Path]:
    """Give notebooks a stack of their own, not started yet; stop it and delete it afterwards."""
    home = Path(tempfile.mkdtemp(prefix="nb-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_HOME", str(home))
        try:
            yield home
        finally:
            stop = [sys.executable, "-m", "lab.course.ending"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL)
            shutil.rmtree(home)


def run(path: Path, record: Record) -> None:
    """Execute a notebook; fail with the cell, its traceback and the ends of the stack's logs."""
    start = time.perf_counter()
    before = _files()
    result = NotebookRun(path, CELL_TIMEOUT).execute()
    record(KEY, (path.name, time.perf_counter() - start))
    if result.error:
        pytest.fail(f"{result.error.trace}\n{_logs()}", pytrace=False)
    assert _files() == before, "the notebook wrote into its own folder"


@contextmanager
def variant(book: Book) -> Iterator[Path]:
    """Write a changed notebook where its relative paths and links still lead to the same files."""
    with tempfile.TemporaryDirectory(prefix="nb-") as folder:
        root = Path(folder)
        (root / "notebooks").mkdir()
        for entry in REPOSITORY.iterdir():
            if entry != FOLDER and not entry.name.startswith("."):
                (root / entry.name).symlink_to(entry)
        for entry in FOLDER.iterdir():
            if entry.name != book.path.name:
                (root / "notebooks" / entry.name).symlink_to(entry)
        path = root / "notebooks" / book.path.name
        nbformat.write(book.notebook, path)
        yield path


def _files() -> set[str]:
    """Name what is in the notebooks' folder; what begins with a dot is an editor's."""
    return {entry.name for entry in FOLDER.iterdir() if not entry.name.startswith(".")}


def _logs() -> str:
    """Return the last lines of each log of the stack."""
    parts = []
    for log in sorted(Path(os.environ["LAB_HOME"], "logs").glob("*.log")):
        end = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        parts.append("\n".join([f"--- {log.name}", *end]))
    return "\n".join(parts)

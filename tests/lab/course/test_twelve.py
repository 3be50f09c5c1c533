"""`lab.twelve`: what it says when a recipe cannot be judged, what a worker's end is, and that nothing stays."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

from lab import paths
from lab.checks.own_recipe.suite import right
from lab.course import twelve
from lab.course.twelve import Judged, Twelve, judge_pieces, keep
from lab.errors import LabError
from tests.plugins.sandbox import REPOSITORY


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "lab"))
    return tmp_path / "lab"


def test_a_function_that_is_missing_is_named() -> None:
    pieces = right()
    del pieces["read"]
    with pytest.raises(LabError, match="no function `read` yet"):
        keep(pieces)


def test_a_function_that_reaches_for_the_notebooks_client_is_named() -> None:
    pieces = right()
    names: dict[str, Any] = {"r": threading.Lock()}  # of this process, like a connection
    exec("def read(_, queue): return r.xread({queue: 0})", names)
    with pytest.raises(LabError, match="`read` uses something that only this notebook has"):
        keep(pieces | {"read": names["read"]})


def test_a_number_that_is_none_of_the_twelve() -> None:
    with pytest.raises(LabError, match="numbers 1 to 12"):
        judge_pieces(right(), (13,))


@pytest.mark.parametrize("missing", ["suite", "redis"])
def test_a_machine_that_cannot_judge_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    if missing == "suite":
        monkeypatch.setattr(paths, "root", lambda: tmp_path)
    else:
        monkeypatch.setattr(paths, "redis_modules", dict)
    found = judge_pieces(right(), (1,))
    assert found
    assert found.cannot.startswith("Nothing is judged here: ")
    assert "\n" not in repr(found)


def test_a_table_tells_what_was_seen_and_hides_no_sign() -> None:
    found = Twelve(
        (Judged(1, "Capture", "Together.", True, ""), Judged(2, "Commit", "After.", False, "a < b"))
    )
    assert found.held == [1]
    assert not found
    assert "✗  2 Commit: a < b" in repr(found)
    assert "a &lt; b" in found._repr_html_()
    assert "1 of 2 hold" in found._repr_html_()


def processes_in(folder: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(folder in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_worker_that_ended_by_an_error_of_the_learners_is_told_by_it() -> None:
    """And a recipe whose pieces are right holds it, side by side with the first in another process."""
    pieces = right() | {"write": lambda reviews, entries: entries[0].nothing}
    found = judge_pieces(pieces, (10,), patience=3)
    assert "the worker ended with AttributeError" in found.judged[0].seen
    assert judge_pieces(right(), (3, 10), patience=30)


def test_the_judging_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    file = tmp_path / "pieces.pickle"
    file.write_bytes(cloudpickle.dumps({name: right()[name] for name in twelve.PIECES}))
    words = [sys.executable, "-m", "tests.recipes.twelve.own", str(file), "60", "1", "8"]
    environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        words, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()  # it has judged by the first, and is at the second
    assert processes_in(str(tmp_path / "twelve-"))
    process.stdin.close()
    process.wait()
    assert processes_in(str(tmp_path / "twelve-")) == []

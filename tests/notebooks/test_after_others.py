"""Every notebook as it is committed, twice on one stack that all use: in order, then backwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.notebooks.book import NOTEBOOKS, REPOSITORY
from tests.notebooks.running import run, stack_folder

pytestmark = [
    pytest.mark.long,
    pytest.mark.xdist_group("notebooks on one stack"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def used_stack() -> Iterator[None]:
    with stack_folder():
        yield


@pytest.mark.usefixtures("used_stack")
@pytest.mark.timeout(1200)
def test_in_order_as_the_book_runs_them():
    """The book runs every notebook, those of the losses too; none of its pages has a warning."""
    command = [sys.executable, "-m", "docs.book.build", "--home", os.environ["LAB_HOME"]]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"


@pytest.mark.usefixtures("used_stack")
@pytest.mark.parametrize("path", NOTEBOOKS[::-1], ids=lambda path: path.stem)
def test_backwards(path, record_property):
    run(path, record_property)

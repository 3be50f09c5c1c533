"""Every notebook on containers: the committed file with each image of Redis, all on one used stack.

The solutions are tried as well, each with one of the images in turn: that costs half as much again.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import environment, left_of
from tests.docker_here import REDIS_IMAGES
from tests.notebooks.book import NOTEBOOKS, Book
from tests.notebooks.running import run, variant
from tests.notebooks.test_after_others import solved

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", params=REDIS_IMAGES)
def used_stack(engine, request) -> Iterator[None]:
    home = Path(tempfile.mkdtemp(prefix="nb-"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(home, request.param).items():
            patch.setenv(name, value)
        yield
        subprocess.run(["lab", "down", "--data"], check=True, stdout=subprocess.DEVNULL)
    assert left_of(engine, home) == []


def in_groups() -> list[pytest.param]:
    """Each image's notebooks in one worker, side by side with the other image's."""
    return [
        pytest.param(
            image,
            path,
            with_solutions,
            marks=pytest.mark.xdist_group(image),
            id=f"{image[-3:]}-{path.stem}{'-solved' if with_solutions else ''}",
        )
        for turn, image in enumerate(REDIS_IMAGES)
        for number, path in enumerate(NOTEBOOKS)
        for with_solutions in ([False, True] if number % len(REDIS_IMAGES) == turn else [False])
    ]


@pytest.mark.parametrize(
    ("used_stack", "path", "with_solutions"), in_groups(), indirect=["used_stack"]
)
@pytest.mark.usefixtures("used_stack")
def test_notebook_on_containers(path, with_solutions, record_property):
    if not with_solutions:
        run(path, record_property)
        return
    with variant(solved(Book(path))) as changed:
        run(changed, record_property)

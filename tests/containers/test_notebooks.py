"""Every notebook on containers, with each image of Redis, all on one used stack.

With one of the images in turn the notebook is as committed, with the other its exercises are tried.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import environment, left_of
from tests.notebooks.book import NOTEBOOKS, Book
from tests.notebooks.exercises import tried
from tests.notebooks.running import run, variant
from tests.plugins.docker_here import REDIS_IMAGES

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
            number % len(REDIS_IMAGES) == turn,
            marks=pytest.mark.xdist_group(image),
            id=f"{image[-3:]}-{path.stem}",
        )
        for turn, image in enumerate(REDIS_IMAGES)
        for number, path in enumerate(NOTEBOOKS)
    ]


@pytest.mark.parametrize(
    ("used_stack", "path", "with_exercises"), in_groups(), indirect=["used_stack"]
)
@pytest.mark.usefixtures("used_stack")
def test_notebook_on_containers(path, with_exercises, record_property):
    if not with_exercises:
        run(path, record_property)
        return
    with variant(tried(Book(path))) as changed:
        run(changed, record_property)

"""Every notebook as it is committed, twice on one stack that all use: in order, then backwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebooks.book import NOTEBOOKS
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
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_in_order(path, record_property):
    run(path, record_property)


@pytest.mark.usefixtures("used_stack")
@pytest.mark.parametrize("path", NOTEBOOKS[::-1], ids=lambda path: path.stem)
def test_backwards(path, record_property):
    run(path, record_property)

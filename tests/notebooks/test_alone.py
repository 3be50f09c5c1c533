"""Every notebook, as it is committed, alone on a stack that nothing has used."""

from __future__ import annotations

import pytest

from tests.notebooks.book import NOTEBOOKS
from tests.notebooks.running import run, stack_folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_alone_on_a_fresh_stack(path, record_property):
    with stack_folder():
        run(path, record_property)

"""Every notebook alone, on a stack that nothing has used; on the way its exercises are tried.

The stubs are as the learner finds them, and must not pass; then come the solutions, and must.
"""

from __future__ import annotations

import pytest

from tests.notebooks.book import NOTEBOOKS, Book
from tests.notebooks.exercises import tried
from tests.notebooks.running import run, stack_folder, variant


@pytest.mark.waits
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_alone_on_a_fresh_stack(path, record_property):
    with stack_folder(), variant(tried(Book(path))) as changed:
        run(changed, record_property)

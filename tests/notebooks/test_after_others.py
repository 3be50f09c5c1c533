"""Every notebook twice on one stack that all of them use: in their order, then backwards.

On the way the exercises are tried. The first time the stubs are as the learner finds them, and
must not pass; the second time they hold the solutions, and must.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.checks import exercise
from tests.notebooks.book import NOTEBOOKS, Book
from tests.notebooks.rules import check_ids
from tests.notebooks.running import run, stack_folder, variant

pytestmark = [
    pytest.mark.xdist_group("notebooks on one stack"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def used_stack() -> Iterator[None]:
    with stack_folder():
        yield


@pytest.mark.usefixtures("used_stack")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_in_order_and_stubs_do_not_pass(path, record_property):
    with variant(unsolved(Book(path))) as changed:
        run(changed, record_property)


@pytest.mark.usefixtures("used_stack")
@pytest.mark.parametrize("path", NOTEBOOKS[::-1], ids=lambda path: path.stem)
def test_backwards_and_solutions_pass(path, record_property):
    with variant(solved(Book(path))) as changed:
        run(changed, record_property)


def unsolved(book: Book) -> Book:
    """Make each check of an exercise an assertion that it does not pass."""
    for cell in book.code:
        for name in check_ids(cell):
            cell.source += f"\nassert not lab.check({name!r}), 'the stub passes'"
    return book


def solved(book: Book) -> Book:
    """Put the solutions in the place of the stubs, and assert that each check passes."""
    asked = [exercise(name) for cell in book.code for name in check_ids(cell)]
    solutions = {known.stub.strip(): known.solution for known in asked}
    for cell in book.code:
        cell.source = solutions.get(cell.source.strip(), cell.source)
        for name in check_ids(cell):
            cell.source += f"\nverdict = lab.check({name!r})\nassert verdict, verdict"
    return book

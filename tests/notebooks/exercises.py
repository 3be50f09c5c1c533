"""The exercises of a notebook, tried as a learner goes: the stub first, then the solution."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from lab.checks import exercise
from tests.notebooks.book import Book
from tests.notebooks.rules import check_ids


def tried(book: Book) -> Book:
    """Assert after each check that the stub does not pass; then, that the solution does."""
    cells: list[NotebookNode] = []
    for cell in book.cells:
        cells.append(cell)
        for name in check_ids(cell) if cell.cell_type == "code" else []:
            cell.source += f"\nassert not lab.check({name!r}), 'the stub passes'"
            passes = f"verdict = lab.check({name!r})\nassert verdict, verdict"
            cells += [new_code_cell(exercise(name).solution), new_code_cell(passes)]
    book.notebook.cells = cells
    return book

"""The first notebook, run in a real JupyterLab by its menu, in a light and in a dark theme."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.jupyterlab import NotebookPage, browser_or_skip, chromium, server
from tests.notebooks.book import NOTEBOOKS, REPOSITORY, Book
from tests.notebooks.running import stack_folder, variant

SCREENSHOTS = REPOSITORY / ".cache" / "screenshots"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("browser"),
]


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("path", NOTEBOOKS[:1], ids=lambda path: path.stem)
def test_all_cells_run_and_show_well(path, theme, tmp_path):
    browser_or_skip()
    # A copy, because JupyterLab saves what it ran.
    with stack_folder(), variant(Book(path)) as copy:
        with server(copy.parent.parent, theme, tmp_path) as url, chromium(tmp_path) as page:
            notebook = NotebookPage(page, url.format(f"notebooks/{path.name}"))
            try:
                notebook.run_all_cells()
            finally:
                notebook.photograph(SCREENSHOTS / f"{path.stem}, {theme}.png")
            assert notebook.errors() == []
            assert notebook.broken_diagrams() == []
            assert notebook.pictures_without_alt() == []
            assert notebook.is_light() == (theme == "JupyterLab Light")


@pytest.mark.parametrize("code", ["1 / 0", "this is no Python"])
def test_a_cell_that_fails_is_seen(code, tmp_path):
    browser_or_skip()
    cells = [
        new_code_cell("import sys; print('only a word', file=sys.stderr)"),
        new_code_cell(code),
    ]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "failing.ipynb")
    with server(folder, "JupyterLab Light", tmp_path) as url, chromium(tmp_path) as page:
        notebook = NotebookPage(page, url.format("failing.ipynb"))
        notebook.run_all_cells()
        assert len(notebook.errors()) == 1

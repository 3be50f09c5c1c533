"""Every notebook, run in a real JupyterLab by its menu, one after the other, in light and in dark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lab.jupyterlab import SETTINGS
from tests.browser.jupyterlab import NotebookPage, browser_or_skip, chromium, server
from tests.notebooks.book import FOLDER, LOSSES, NOTEBOOKS, REPOSITORY
from tests.notebooks.running import stack_folder

SCREENSHOTS = REPOSITORY / ".cache" / "screenshots"
THEMES = ("JupyterLab Light", "JupyterLab Dark")
WIDTHS = (1600, 400)  # pixels: a projector, and a window beside others

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], NotebookPage]]:
    """One JupyterLab on a copy of the course, because it saves what it ran; opens a notebook."""
    browser_or_skip()
    folder = tmp_path_factory.mktemp("lab")
    course = folder / "course"
    course.mkdir()
    copied = [FOLDER, REPOSITORY / "docs"]  # JupyterLab shows no picture beyond a link
    for entry in REPOSITORY.iterdir():
        if entry not in copied and not entry.name.startswith("."):
            (course / entry.name).symlink_to(entry)
    for entry in copied:
        shutil.copytree(entry, course / entry.name, ignore=shutil.ignore_patterns(".*"))
    with stack_folder(), server(course, THEMES[0], folder) as url, chromium(folder) as page:
        yield lambda name: NotebookPage(page, url.format(f"notebooks/{name}") + "&reset")


@pytest.mark.parametrize(
    ("path", "theme"),
    [(path, THEMES[number % 2]) for number, path in enumerate([NOTEBOOKS[0], *NOTEBOOKS, *LOSSES])],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_all_cells_run_and_show_well(
    opened: Callable[[str], NotebookPage], path: Path, theme: str
) -> None:
    notebook = opened(path.relative_to(FOLDER).as_posix())
    notebook.choose_theme(theme)
    try:
        notebook.run_all_cells()
        assert notebook.failures() == []
        assert notebook.errors() == []
        assert notebook.broken_diagrams() == []
        assert notebook.pictures_without_alt() == []
        assert notebook.missing_pictures() == []
        assert notebook.is_light() == (theme == THEMES[0])
        for width in WIDTHS:
            assert notebook.too_wide_at(width) == [], width
            notebook.photograph(SCREENSHOTS / f"{path.stem}, {theme}, {width}.png")
    finally:
        notebook.photograph(SCREENSHOTS / f"{path.stem}, {theme}.png")
        notebook.close()


def test_a_newcomer_is_shown_round(opened: Callable[[str], NotebookPage]) -> None:
    """Every step of the tour has its place on the page; one without is passed over in silence."""
    settings = json.loads((SETTINGS / "labconfig/default_setting_overrides.json").read_text())
    (tour,) = settings["jupyterlab-tour:user-tours"]["tours"]
    opened(NOTEBOOKS[0].name).take_the_tour(tour["id"], tour["steps"])


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
        assert len(notebook.failures()) == 1
        assert len(notebook.errors()) == 1

"""Pictures that move, in a real JupyterLab: `lab.watch` while its cell runs, `lab.record` after it."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from selenium.webdriver.common.keys import Keys

from lab.stack.model import Stack
from tests.browser.apppage import AppPage
from tests.browser.jupyterlab import NotebookPage, chromium, server
from tests.notebooks.book import REPOSITORY

SCREENSHOTS = REPOSITORY / ".cache" / "screenshots"
pytestmark = [
    pytest.mark.long,
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("browser"),
]
CELLS = [
    "import lab\nstack = lab.up()\nlab.prepare('empty', 'movies', 'write-behind')",
    "seen = lab.watch(lambda now: stack.redis.exists('enough'), seconds=120, every=0.1, block=False)",
    "with lab.record() as run:\n    for number in range(1, 40):\n"
    "        stack.redis.json().set(f'MovieEntity:{number}', '$.seen', True)\nrun",
]


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_pictures_move_in_jupyterlab(stack: Stack, theme: str, tmp_path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [new_code_cell(code) for code in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "pictures.ipynb")
    stack.redis.delete("enough")
    with server(folder, theme, tmp_path) as url, chromium(tmp_path) as driver:
        notebook = NotebookPage(driver, url.format("pictures.ipynb"))
        notebook.run_all_cells()
        page = AppPage(driver, "")
        try:
            page.until_text(".lab-places", "566")  # its cell has ended, and it looks on
            slider = page.one(".lab-time-machine input")
            driver.execute_script("arguments[0].scrollIntoView()", slider)
            slider.send_keys(Keys.END)
            page.until_text(".lab-time-machine .place:nth-child(3)", "39 committed")
            slider.send_keys(Keys.HOME)
            page.until_text(".lab-time-machine .place:nth-child(3)", "0 committed")
            assert notebook.errors() == []
        finally:
            notebook.photograph(SCREENSHOTS / f"pictures, {theme}.png")
        stack.redis.set("enough", 1)
        page.until_text(".jp-OutputArea", "documents in MongoDB")  # the table stays
        page.until(lambda: not page.all(".lab-places"))

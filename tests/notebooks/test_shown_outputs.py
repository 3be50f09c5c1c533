"""What cells can print, in the book and in slides: every colour is read, every box that scrolls is reached."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pygments.token import STANDARD_TYPES

from docs.book import slides
from docs.book.still import make_still
from tests.browser.apppage import AppPage
from tests.browser.jupyterlab import chromium
from tests.notebooks.book import REPOSITORY

_IN_CHROMIUM = [
    pytest.mark.long,
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("browser"),
]
_PLAIN, _BRIGHT, _GROUND = range(30, 38), range(90, 98), range(40, 48)


def in_all_colours() -> str:
    """What a terminal's colours can be: plain, bright, bold, faint, each on each ground, and the 256."""
    codes = [f"{style}{colour}" for style in ("", "1;", "2;") for colour in (*_PLAIN, *_BRIGHT)]
    codes += [f"{colour};{ground}" for colour in (*_PLAIN, 39) for ground in _GROUND]
    codes += [f"{what};5;{number}" for what in (38, 48) for number in range(256)]
    return "".join(f"\x1b[{code}mword\x1b[0m \n" for code in codes)


def printed(name: str, text: str) -> nbformat.NotebookNode:
    return new_code_cell("print(1)", outputs=[new_output("stream", name=name, text=text)])


def displayed(html: str) -> nbformat.NotebookNode:
    return new_code_cell("1", outputs=[new_output("display_data", data={"text/html": html})])


def as_highlighted() -> str:
    """A word of every kind that Pygments tells apart in code."""
    words = "\n".join(
        f'<span class="{name}">word</span>' for name in STANDARD_TYPES.values() if name
    )
    return f'<div class="highlight"><pre>{words}</pre></div>'


WIDE = "<p style='width:90em'>wide</p>"
COLOURS = [
    new_markdown_cell("# Colours"),
    printed("stdout", in_all_colours()),
    printed("stderr", in_all_colours()),
    new_markdown_cell(as_highlighted()),
]
BOXES = [
    new_markdown_cell("# Boxes"),
    displayed(f"<div style='overflow-x:auto'>{WIDE}</div>"),
    displayed(f"<section><div style='overflow:scroll;height:3em'>{WIDE * 9}</div></section>"),
    displayed(f"<table><tr><td>{'a' * 90}</td></tr></table>"),
    displayed(f"<details><summary>More</summary><div style='overflow:auto'>{WIDE}</div></details>"),
    printed("stdout", "word " * 90),
    new_markdown_cell("| a | b |\n|---|---|\n" + f"| {'a' * 90} | {'b' * 90} |"),
    new_markdown_cell("```python\n" + "word + " * 60 + "1\n```"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of two pages, colours and boxes."""
    folder = tmp_path_factory.mktemp("small book")
    for name, cells in {"index": COLOURS, "boxes": BOXES}.items():
        python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        nbformat.write(new_notebook(cells=cells, metadata=python), folder / f"{name}.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html"]
    subprocess.run([*command, "-c", REPOSITORY / "docs/book", folder, folder / "html"], check=True)
    return folder


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.set_script_timeout(120)
        yield AppPage(driver, "")


class TestInChromium:
    pytestmark = _IN_CHROMIUM

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_every_colour_of_an_output_and_of_code_is_read_in_the_book(
        self, folder, window, scheme
    ):
        window.media(1400, 1000, prefers_color_scheme=scheme)
        window.page.get((folder / "html/index.html").as_uri())
        assert len(window.all("[class*='-Color']")) > 300
        assert window.flaws() == []

    def test_every_colour_of_an_output_and_of_code_is_read_in_slides(
        self, folder, window, tmp_path
    ):
        slides.lay_out(tmp_path)
        window.page.get(slides.export(folder / "index.ipynb", tmp_path).as_uri())
        window.until(lambda: window.all("body[data-deck=ready]"))
        assert len(window.all("[class*=ansi-]")) > 100
        window.script("delete document.body.dataset.deck")  # then all slides are shown at once
        assert [flaw for flaw in window.flaws() if flaw.startswith("color-contrast")] == []

    @pytest.mark.parametrize("width", [1400, 400])
    def test_every_box_that_scrolls_is_reached_with_the_keyboard(self, folder, window, width):
        window.media(width, 1000, prefers_color_scheme="light")
        window.page.get((folder / "html/boxes.html").as_uri())
        window.script("document.querySelectorAll('details').forEach(e => e.open = true)")
        window.until(lambda: len(window.all("article [tabindex='0']")) >= 5)
        assert window.script("return document.querySelector('.content').scrollWidth") <= width
        assert window.flaws() == []


def test_a_frame_becomes_its_picture_with_a_word_on_where_it_is_alive() -> None:
    shown = displayed('<iframe src="http://127.0.0.1:40001/" title="The movie app"></iframe>')
    make_still(new_notebook(cells=[new_markdown_cell("A"), shown]))
    html = shown.outputs[0].data["text/html"]
    assert "127.0.0.1" not in html
    assert html.count('src="data:image/webp;base64,') == 1
    assert "make app" in html


def test_a_frame_without_a_picture_is_named() -> None:
    shown = displayed('<iframe src="http://127.0.0.1:40001/" title="Another"></iframe>')
    with pytest.raises(LookupError, match=r"Another.*still\.py"):
        make_still(new_notebook(cells=[shown]))


def test_a_widget_is_dropped_and_its_plain_text_stays() -> None:
    """A page with a widget's state asks two other hosts for the code that would draw it."""
    shown = displayed("")
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "A()"}
    shown.outputs[0].data = nbformat.NotebookNode(widget)
    notebook = new_notebook(cells=[shown], metadata={"widgets": {"state": {}}})
    make_still(notebook)
    assert "widgets" not in notebook.metadata
    assert shown.outputs[0].data == {"text/plain": "A()"}

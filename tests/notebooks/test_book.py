"""The book and the slides in Chromium: every page in light and dark, on a wide screen and on a phone.

They are looked at as `make book` and `make slides` left them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.book import build, slides
from docs.book.minutes import RUN
from tests.browser.apppage import AppPage
from tests.browser.jupyterlab import chromium
from tests.notebooks.book import NOTEBOOKS, REPOSITORY
from tests.programs import left_out

SCREENSHOTS = REPOSITORY / ".cache" / "screenshots"
pytestmark = [
    pytest.mark.long,
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group(
        "notebooks on one stack"
    ),  # behind test_after_others.py, which builds the book
]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppPage]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.set_script_timeout(120)
        yield AppPage(driver, "")


def pages() -> list[Path]:
    """The pages that people read; the search's own has nothing on it before a question."""
    found = [p for p in sorted(build.HTML.rglob("*.html")) if "_static" not in p.parts]
    if not found:
        left_out("no book here: make book")
    return [p for p in found if p.name not in ("search.html", "genindex.html")]


def fetched(page: AppPage) -> list[str]:
    """What a page asked of other hosts."""
    asked = "return performance.getEntriesByType('resource').map(e => e.name)"
    return [name for name in page.script(asked) if name.startswith("http")]


def flaws_of(page: AppPage, file: Path, width: int, scheme: str) -> list[str]:
    """What is wrong with a page of the book in a window of a width, in a colour scheme."""
    page.media(width, 1000, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.page.get_log("browser")
    page.page.get(file.as_uri())
    diagrams = "return !document.querySelector('pre.mermaid') || document.body.dataset.diagrams === 'drawn'"
    page.until(lambda: page.script(diagrams), problem=f"the diagrams of {file.name}")
    found = [f"fetches {name}" for name in fetched(page)]
    found += [line["message"] for line in page.page.get_log("browser") if line["level"] == "SEVERE"]
    too_wide = (
        "return ['html', '.content'].map(name => document.querySelector(name))"
        ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.scrollWidth)"
    )
    found += [f"is {has} pixels wide" for has in page.script(too_wide)]
    if page.all("pre.mermaid .error-icon"):
        found.append("a diagram is broken")
    return found + page.flaws()


@pytest.mark.parametrize("turn", [0, 1], ids=["wide first", "narrow first"])
def test_every_page_of_the_book_shows_well(window: AppPage, turn: int) -> None:
    """Each page is seen in one width in light and in the other in dark; its neighbour inversely."""
    found = {}
    for number, file in enumerate(pages()):
        width = (1400, 400)[(number + turn) % 2]
        scheme = ("light", "dark")[turn]
        wrong = flaws_of(window, file, width, scheme)
        if wrong:
            found[f"{file.relative_to(build.HTML)}, {width} px, {scheme}"] = wrong
            window.page.save_screenshot(
                str(SCREENSHOTS / f"book {file.stem}, {width}, {scheme}.png")
            )
    assert not found, "\n".join(f"{where}: {line}" for where, w in found.items() for line in w)


@pytest.mark.parametrize("inches", [(8.27, 11.69), (8.5, 11)], ids=["A4", "Letter"])
def test_the_page_to_hand_out_is_one_page(window: AppPage, inches: tuple[float, float]) -> None:
    (file,) = [page for page in pages() if page.name == "handout.html"]
    window.media(1400, 1000, prefers_color_scheme="light")
    window.page.get(file.as_uri())
    window.until(lambda: window.all("body[data-diagrams=drawn]"))
    size = {"paperWidth": inches[0], "paperHeight": inches[1], "printBackground": True}
    printed = window.page.execute_cdp_cmd("Page.printToPDF", size)["data"]
    pdf = base64.b64decode(printed)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (SCREENSHOTS / "handout.pdf").write_bytes(pdf)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_every_notebook_has_slides_that_show_well(window: AppPage, tmp_path: Path) -> None:
    slides.lay_out(tmp_path)
    window.media(1280, 720)
    for path in NOTEBOOKS:
        ran = RUN / path.name
        deck = slides.export(ran if ran.exists() else path, tmp_path)
        window.page.get_log("browser")
        window.page.get(deck.as_uri())
        window.until(lambda: window.all("body[data-deck=ready]"), problem=f"the slides of {path}")
        severe = [x["message"] for x in window.page.get_log("browser") if x["level"] == "SEVERE"]
        assert severe == []
        assert fetched(window) == []
        assert not window.all("pre.mermaid .error-icon")
        assert len(window.all(".slides > section")) > 5
        assert len(window.all("aside.notes")) > 5
        missing = (
            "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.alt)"
        )
        assert window.script(missing) == []
